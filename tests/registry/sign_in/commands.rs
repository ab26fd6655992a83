//! What an operator does about the sign-in, with the real program.

use serde_json::Value;

use crate::support::http;
use crate::support::process::{Served, failed, succeeded, supercargo};

fn refused(served: &Served, subcommand: &str, arguments: &[&str]) -> String {
    failed(served.command(subcommand).args(arguments).output().unwrap(), 1).trim().to_owned()
}

fn code(url: &str, served: &Served) -> String {
    let start = format!("{}/sign-in/link?code=", served.url);
    url.trim().strip_prefix(&start).unwrap_or_else(|| panic!("{url}")).to_owned()
}

#[test]
fn links_are_printed_and_nothing_else_and_the_registry_takes_them() {
    let served = Served::start(&["--no-worker"]);
    served.run("admin user create", &["ann"]);
    let output = served.command("admin user sign-in-link").arg("ann").output().unwrap();
    let note = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(note.contains("each link signs its user in once, until "), "{note}");
    let one = code(&succeeded(output), &served);
    let page = http::get(&format!("{}/sign-in/link?code={one}", served.url)).good();
    assert!(page.text().contains("Sign in as ann"), "{}", page.text());
    let several = served.run("admin user sign-in-link", &["ann", "bob", "--create", "--expires-in", "1h"]);
    let lines: Vec<(&str, String)> = several
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(login, url)| (login, code(url, &served)))
        .collect();
    assert_eq!(lines.iter().map(|(login, _)| *login).collect::<Vec<_>>(), ["ann", "bob"]);
    assert_ne!(lines[0].1, one);
    let json: Value = serde_json::from_str(&served.run("admin user sign-in-link", &["bob", "--json"])).unwrap();
    assert_eq!(json[0]["login"], "bob");
    assert_ne!(code(json[0]["url"].as_str().unwrap(), &served), lines[1].1);
    // All or none.
    assert!(refused(&served, "admin user sign-in-link", &["carol", "ann"]).contains("there is no user \"carol\""));
    let page = http::get(&format!("{}/sign-in/link?code={}", served.url, lines[0].1)).good();
    assert!(page.text().contains("Sign in as ann"));
    let too_long = refused(&served, "admin user sign-in-link", &["ann", "--expires-in", "31days"]);
    assert!(too_long.contains("30 days at most"), "{too_long}");
    served.run("admin user disable", &["ann"]);
    assert!(refused(&served, "admin user sign-in-link", &["ann"]).contains("is disabled"));
}

#[test]
fn all_sessions_of_a_user_are_ended() {
    use supercargo::database::access::sessions::{self, Origin, SessionSecret};
    use supercargo::database::access::users;
    let served = Served::start(&["--no-worker"]);
    let token = served.token("ann");
    served.token("bob");
    let mut connection = served.database.connect();
    let mut begin = |login: &str| {
        let user = users::find(&mut connection, login).unwrap().unwrap().id;
        let secret = SessionSecret::random().unwrap();
        let token = sessions::create_token(&mut connection, user, "password").unwrap();
        sessions::begin(&mut connection, &secret, token.id, &Origin::default()).unwrap();
        secret
    };
    let (first, second, of_bob) = (begin("ann"), begin("ann"), begin("bob"));
    let said = served.run("admin user sign-out", &["ANN"]);
    assert!(said.contains("ended 2 sessions of ann; tokens stay valid"), "{said}");
    for secret in [first, second] {
        assert!(sessions::find(&mut connection, &secret).unwrap().is_none());
    }
    assert!(sessions::find(&mut connection, &of_bob).unwrap().is_some());
    http::get_as(&format!("{}/api/v1/me", served.url), &token).good();
    assert!(served.run("admin user sign-out", &["ann"]).contains("ann has no session"));
    assert!(refused(&served, "admin user sign-out", &["carol"]).contains("there is no user \"carol\""));
}

#[test]
fn roles_are_given_and_shown() {
    let served = Served::start(&["--no-worker"]);
    let token = served.token("ann");
    assert_eq!(served.run("admin user role", &["ann", "read-only"]).trim(), "ann has now the role read-only");
    assert!(served.run("admin user role", &["ann", "read-only"]).contains("nothing changed"));
    let refused_publish = http::publish(&served.url, &token, &crate::support::package::Package::new("demo", "1.0.0"));
    assert!(
        refused_publish.text().contains("has the role `read-only`, and may only read"),
        "{}",
        refused_publish.text()
    );
    let list = served.run("admin user list", &[]);
    assert!(list.lines().any(|line| line.contains("ann") && line.contains("read-only")), "{list}");
    // An admin is a member, whatever the user was.
    served.run("admin user promote", &["ann"]);
    let list = served.run("admin user list", &[]);
    assert!(list.lines().any(|line| line.contains("ann") && line.contains("admin")), "{list}");
    let admin = refused(&served, "admin user role", &["ann", "auditor"]);
    assert!(admin.contains("demote first"), "{admin}");
    served.run("admin user demote", &["ann"]);
    served.run("admin user role", &["ann", "auditor"]);
    http::get_as(&format!("{}/api/v1/admin/audit", served.url), &token).good();
}

#[test]
fn a_provider_s_file_is_read_at_the_start_and_checked_before() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("acme.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let plain = "name = \"acme\"\nissuer = \"https://id.example\"\nclient-id = \"registry\"\n";
    let served = Served::stopped();
    let start = |more: &[&str]| {
        let mut command = served.command("serve");
        command.args(["--listen", "127.0.0.1:0", "--identity-provider", file.to_str().unwrap()]).args(more);
        failed(command.output().unwrap(), 1)
    };
    for (text, problem) in [
        ("name = 1\n".to_owned(), "line 1"),
        (plain.replace("https", "http"), "cannot be an issuer"),
        (format!("{plain}[teams]\nrust = \"no team\"\n"), "is not a valid team name"),
        (format!("{plain}client-secret-file = \"missing\"\n"), "missing: No such file"),
    ] {
        write(&text);
        let said = start(&[]);
        assert!(said.contains("--identity-provider: ") && said.contains(problem), "{said}");
        // The same without a start.
        let config = files.path().join("supercargo.toml");
        std::fs::write(&config, format!("identity-provider = [{:?}]\n", file.to_str().unwrap())).unwrap();
        let checked = supercargo().args(["config", "check", "--config"]).arg(&config).output().unwrap();
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(!checked.status.success() && said.contains(problem), "{said}");
    }
    write(plain);
    let said = start(&["--sign-in-with", "none,token"]);
    assert!(said.contains("--sign-in-with: `none` and other ways exclude each other"), "{said}");
    let twice = start(&["--identity-provider", file.to_str().unwrap()]);
    assert!(twice.contains("another provider has the same name, acme"), "{twice}");
}
