use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use super::*;

/// A registry whose only thread for blocking work can be occupied.
struct Occupiable {
    runtime: tokio::runtime::Runtime,
    router: axum::Router,
    index: Index,
    _directory: tempfile::TempDir,
}

impl Occupiable {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open_or_init(&directory.path().join("index")).unwrap();
        let state = IndexState { view: View::new(index.clone()), git: GitService::new(&index) };
        let router = router(state, "http://registry.test").layer(axum::Extension(ClientAddress::default()));
        let runtime =
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build().unwrap();
        Self { runtime, router, index, _directory: directory }
    }

    fn commit(&self, path: &str, content: &str) {
        commit(&self.index, path, content);
    }

    /// The answer, while the only thread for blocking work may be occupied.
    fn answer(&self, path: &str, coding: &str) -> Option<(u16, Vec<u8>)> {
        let answer = self.request(path, coding);
        // The limit only ends a test that has failed already.
        self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), answer).await }).ok()
    }

    /// Occupies the thread until the sender is dropped.
    fn occupy(&self) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel();
        self.runtime.spawn_blocking(move || held.recv());
        release
    }

    fn request(&self, path: &str, coding: &str) -> impl Future<Output = (u16, Vec<u8>)> + Send + 'static {
        let request = Request::get(path).header("accept-encoding", coding).body(Body::empty()).unwrap();
        let router = self.router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            (status, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
        }
    }
}

fn commit(index: &Index, path: &str, content: &str) {
    let change = Change {
        path: path.to_owned(),
        content: Some(content.as_bytes().to_vec().into()),
        message: "Publish".to_owned(),
    };
    index.lock_writer().unwrap().commit(&index.head().unwrap(), &[change]).unwrap();
}

#[test]
fn what_was_read_before_is_answered_without_a_thread_for_blocking_work() {
    answers_from_memory("main");
}

#[test]
fn a_branch_of_another_name_is_answered_from_memory_as_well() {
    answers_from_memory("index");
}

fn answers_from_memory(branch: &str) {
    let registry = Occupiable::new();
    let long = "{\"name\":\"abcd\"}\n".repeat(100);
    registry.commit("config.json", "{}");
    registry.commit("ab/cd/abcd", &long);
    registry.index.lock_writer().unwrap().name_branch(branch).unwrap();
    let requests = [
        ("/index/ab/cd/abcd", "identity"),
        ("/index/ab/cd/abcd", "gzip"),
        ("/index/ab/cd/abcd", "zstd"),
        ("/index/config.json", "identity"),
        ("/index/ab/ce/abce", "identity"),
        ("/index/xy/zz/xyzz", "identity"),
    ];
    let answers = requests.map(|(path, coding)| registry.runtime.block_on(registry.request(path, coding)));
    assert_eq!(answers.each_ref().map(|(status, _)| *status), [200, 200, 200, 200, 404, 404]);
    let release = registry.occupy();
    for ((path, coding), expected) in requests.into_iter().zip(&answers) {
        assert_eq!(registry.answer(path, coding).as_ref(), Some(expected), "{path} {coding}");
    }

    // What the writer of this process has written is in memory.
    registry.commit("ab/cd/abcd", "written");
    assert_eq!(registry.answer("/index/ab/cd/abcd", "gzip"), Some((200, b"written".to_vec())));

    // A branch that another process has moved is seen at once: the file is read anew, when the thread is free.
    let other = Index::open_or_init(registry.index.path()).unwrap();
    commit(&other, "ab/cd/abcd", "changed");
    commit(&other, "ab/ce/abce", "new");
    let requests =
        ["/index/ab/cd/abcd", "/index/ab/ce/abce"].map(|path| registry.runtime.spawn(registry.request(path, "gzip")));
    drop(release);
    let answers = requests.map(|request| registry.runtime.block_on(request).unwrap());
    assert_eq!(answers, [(200, b"changed".to_vec()), (200, b"new".to_vec())]);
}

#[test]
fn a_branch_in_a_file_of_packed_references_is_found() {
    let registry = Occupiable::new();
    registry.commit("ab/cd/abcd", "one");
    let pack = ["--git-dir", &registry.index.path().to_string_lossy(), "pack-refs", "--all"].map(str::to_owned);
    succeeded(registry.index.git().command().args(pack).output().unwrap());
    for _ in 0..2 {
        let answer = registry.runtime.block_on(registry.request("/index/ab/cd/abcd", "identity"));
        assert_eq!(answer, (200, b"one".to_vec()));
    }
    registry.commit("ab/cd/abcd", "two");
    let answer = registry.runtime.block_on(registry.request("/index/ab/cd/abcd", "identity"));
    assert_eq!(answer, (200, b"two".to_vec()));
}
