//! Clusters in unusual directories, and the end of one.

use super::super::*;

#[test]
fn a_dropped_cluster_is_stopped() -> TestResult {
    let data = DataDir::new()?;
    drop(data.start()?);
    assert_eq!(data.processes()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_data_directory_of_two_hundred_characters_works() -> TestResult {
    let data = DataDir::below(&format!("{}/{}", "a".repeat(100), "b".repeat(100)))?;
    let cluster = data.start()?;
    write_note(&cluster.url(), "far away")?;
    let url = attach(&data.path)?.ok_or("the running cluster is not found")?;
    assert_eq!(read_notes(&url)?, ["far away"]);
    assert!(UnixStream::connect(data.cluster().join(".s.PGSQL.5432")).is_err(), "the path is not long enough");
    Ok(())
}

#[test]
fn a_path_that_libpq_would_split_works() -> TestResult {
    let data = DataDir::below("a,b c&d=é%20")?;
    let cluster = data.start()?;
    PgConnection::establish(&cluster.url())?;
    Ok(())
}
