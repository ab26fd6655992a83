use axum::body::Body;
use axum::http::Request;

use super::upload::Content;
use super::*;

const MIB: u64 = 1024 * 1024;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn arriving(content: &[u8]) -> Arriving {
    Arriving::new(&Request::new(()).into_parts().0, Body::from(content.to_vec()), usize::MAX, String::new()).unwrap()
}

fn uploads(memory: u64) -> (tempfile::TempDir, Uploads) {
    let directory = tempfile::tempdir().unwrap();
    let uploads = Uploads::new(memory, directory.path().to_owned());
    (directory, uploads)
}

fn free(uploads: &Uploads) -> [usize; 3] {
    let Budget { arriving, complete, disk, .. } = &*uploads.budget;
    [arriving, complete, disk].map(|semaphore| semaphore.available_permits())
}

async fn received(uploads: &Uploads, content: &[u8]) -> Upload {
    uploads.receive((1, "ann"), arriving(content)).await.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_small_body_stays_in_memory_and_a_large_one_goes_to_an_unnamed_file() {
    let (directory, uploads) = uploads(64 * MIB);
    let before = free(&uploads);
    run(async {
        for length in [0, 1, 4, 5, MIB, MIB + 1, 3 * MIB] {
            let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let upload = received(&uploads, &content).await;
            assert_eq!(matches!(upload.content, Content::Disk(..)), length > MIB, "{length}");
            let mut complete = upload.complete().await.unwrap_or_else(|error| panic!("{error}"));
            assert!(free(&uploads)[1] < before[1]);
            assert_eq!(complete.load().unwrap(), content);
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    });
    assert_eq!(free(&uploads), before);
}

#[test]
fn a_body_goes_to_the_disk_when_memory_is_full_and_is_refused_when_the_disk_is_full_too() {
    let (_directory, uploads) = uploads(MIB);
    run(async {
        let held: Vec<_> = [received(&uploads, &[0; 100_000]).await, received(&uploads, &[0; 100_000]).await].into();
        let third = received(&uploads, &[0; 100_000]).await;
        assert!(matches!(third.content, Content::Disk(..)));
        let refused = uploads.receive((1, "ann"), arriving(&vec![0; 5_000_000])).await.err().unwrap();
        assert_eq!(refused.status(), 503);
        drop(held);
    });
    assert_eq!(free(&uploads)[0], 256);
}

#[test]
fn a_body_that_is_larger_than_the_memory_takes_all_of_it() {
    let (_directory, uploads) = uploads(2 * MIB);
    run(async {
        let complete = received(&uploads, &vec![0; 3_000_000]).await.complete().await;
        assert_eq!(free(&uploads)[1], 0);
        drop(complete);
        assert_eq!(free(&uploads)[1], 1536);
    });
}

#[test]
fn each_user_has_its_own_limit_of_uploads() {
    let (_directory, uploads) = uploads(MIB);
    let held: Vec<_> = (0..PER_USER).map(|_| uploads.begin((1, "ann")).ok().unwrap()).collect();
    assert_eq!(uploads.begin((1, "ann")).err().unwrap().status(), 429);
    assert!(uploads.begin((2, "bob")).is_ok());
    drop(held);
    assert!(uploads.begin((1, "ann")).is_ok());
}
