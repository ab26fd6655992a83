//! The errors of a start.

use std::path::Path;

use nix::unistd::Uid;

use super::super::*;

#[test]
fn a_cluster_of_another_major_version_is_refused_with_the_way_out() -> TestResult {
    let data = DataDir::new()?;
    data.start()?.stop()?;
    fs::write(data.cluster().join("PG_VERSION"), "9\n")?;
    let error = data.start().err().ok_or("it started")?;
    let EmbeddedError::OtherMajorVersion { needed, found, found_in, .. } = &error else {
        return Err(error.into());
    };
    assert_eq!(*needed, 9);
    let text = error
        .to_string()
        .replace(&fs::canonicalize(&data.path)?.display().to_string(), "DIR")
        .replace(&found_in.display().to_string(), "BIN")
        .replace(&format!("PostgreSQL {found}"), "PostgreSQL NN");
    insta::assert_snapshot!(text, @"the database in DIR/postgres was created by PostgreSQL 9, but the programs in BIN are those of PostgreSQL NN: upgrade the database with `supercargo database upgrade --data-dir DIR --postgres-bin-dir BIN`, which needs the programs of PostgreSQL 9 as well (apt-get install postgresql-9, or --old-postgres-bin-dir), or continue with PostgreSQL 9");
    // Nothing was changed.
    assert_eq!(fs::read_to_string(data.cluster().join("PG_VERSION"))?, "9\n");
    assert!(!data.cluster().join("postmaster.pid").exists());
    Ok(())
}

#[test]
fn missing_programs_are_named_with_the_package_that_has_them() -> TestResult {
    let data = DataDir::new()?;
    let empty = tempfile::tempdir()?;
    let error = Cluster::start(&Options { postgres_bin_dir: Some(empty.path().to_owned()), ..data.options() })
        .err()
        .ok_or("it started")?;
    let text = error.to_string().replace(&empty.path().display().to_string(), "EMPTY");
    insta::assert_snapshot!(text, @"found no PostgreSQL server programs (initdb and postgres) in EMPTY: install them (apt-get install postgresql), or use a database server of your own with --database-url");
    assert_eq!(fs::read_dir(&data.path)?.count(), 0);
    Ok(())
}

#[test]
fn a_directory_in_use_for_something_else_is_not_touched() -> TestResult {
    let data = DataDir::new()?;
    fs::create_dir(data.cluster())?;
    fs::write(data.cluster().join("thesis.tex"), "")?;
    let error = data.start().err().ok_or("it started")?;
    assert!(matches!(error, EmbeddedError::NotACluster { .. }), "{error}");
    assert!(data.cluster().join("thesis.tex").exists());
    Ok(())
}

#[test]
fn a_data_directory_that_nothing_can_be_made_in_is_refused() -> TestResult {
    let data = DataDir::new()?;
    if Uid::effective().is_root() {
        // Root may write anywhere, but must find a way in for the user who runs the server.
        let above = data.path.parent().ok_or("no parent")?;
        fs::set_permissions(above, Permissions::from_mode(0o700))?;
        let error = data.start().err().ok_or("it started")?;
        let EmbeddedError::ClosedDirectory { directory, user, .. } = &error else {
            return Err(error.into());
        };
        assert_eq!(directory, &fs::canonicalize(above)?);
        assert!(error.to_string().contains(&format!("closed to the user {user}")), "{error}");
    } else {
        fs::set_permissions(&data.path, Permissions::from_mode(0o500))?;
        let error = data.start().err().ok_or("it started")?;
        assert!(matches!(error, EmbeddedError::Directory { action: "create", .. }), "{error}");
    }
    assert_eq!(fs::read_dir(&data.path)?.count(), 0);
    Ok(())
}

#[test]
fn a_user_who_does_not_exist_is_refused_by_root() -> TestResult {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let data = DataDir::new()?;
    for (name, problem) in [("no-such-user", "there is no such user"), ("root", "refuses to run as root")] {
        let options = Options { os_user: Some(name.to_owned()), ..data.options() };
        let error = Cluster::start(&options).err().ok_or("it started")?;
        assert!(error.to_string().contains(problem), "{error}");
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_start_is_reported_with_its_own_words() -> TestResult {
    let data = DataDir::new()?;
    data.start()?.stop()?;
    let control = data.cluster().join("global/pg_control");
    fs::write(&control, vec![0; fs::metadata(&control)?.len().try_into()?])?;
    let error = data.start().err().ok_or("it started")?;
    let EmbeddedError::Exited { tail, .. } = &error else {
        return Err(error.into());
    };
    assert!(tail.contains("FATAL"), "{error}");
    assert_eq!(data.processes()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_missing_data_directory_is_named() -> TestResult {
    let error = attach(Path::new("/nonexistent/registry")).err().ok_or("it attached")?;
    insta::assert_snapshot!(error, @"cannot open /nonexistent/registry (No such file or directory (os error 2)): run supercargo as the owner of the data directory, or choose another directory with --data-dir");
    Ok(())
}
