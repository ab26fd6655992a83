use super::*;

/// A package that has these files, and a repository.
struct Package;

impl Places for Package {
    fn link(&self, path: &str) -> Option<String> {
        Some(format!("/crates/a/1.0.0/source/{path}"))
    }

    fn image(&self, path: &str) -> Option<String> {
        path.ends_with(".png").then(|| format!("/crates/a/1.0.0/raw/{path}"))
    }
}

fn html(text: &str) -> String {
    match render(text, Folder::of("docs/README.md"), Arc::new(Package)) {
        Rendered::Html(html) => html,
        Rendered::Plain(html) => panic!("not rendered: {html}"),
    }
}

#[test]
fn github_s_markdown_is_rendered() {
    insta::assert_snapshot!(html("# A *b*\n\n| a | b |\n|---|:-:|\n| 1 | ~~2~~ |\n\n- [x] done\n- [ ] not\n\nSee[^1] https://a.example\n\n[^1]: Note"), @"");
}

#[test]
fn links_lead_to_packaged_files_and_out_of_the_page() {
    insta::assert_snapshot!(html("[a](x.md#y) [b](../LICENSE) [c](https://b.example/?q=1&r) [d](#A) [e](../../up) <me@b.example>"), @"");
    insta::assert_snapshot!(html("![p](p.png) ![q](q.gif) ![r](https://c.example/r.svg) [![s](https://c.example/s.svg)](https://d.example)"), @"");
}

#[test]
fn code_is_shown_as_rustdoc_shows_it() {
    insta::assert_snapshot!(html("```rust,no_run\n# use a::b;\nlet c = \"<d>\";\n```\n\n```mermaid\ngraph TD; A-->B\n```\n"), @"");
}

#[test]
fn invisible_characters_are_shown_by_their_number() {
    assert_eq!(html("a\u{202e}b\u{200b}c\u{feff}"), "<p>a[U+202E]bc</p>\n");
}

#[test]
fn a_document_that_is_too_large_or_too_deep_is_shown_as_it_is_written() {
    for text in [
        "<div>".repeat(1000),
        "> ".repeat(1000) + "x",
        format!("{}\n{}", "<font a=1>".repeat(150), "<p>x\n\n".repeat(30_000)),
        "*a ".repeat(200_000),
    ] {
        match render(&text, Folder::default(), Arc::new(Package)) {
            Rendered::Plain(html) => assert!(html.starts_with("<pre class=\"plain\">") && html.len() < 3 * MAX_LENGTH),
            Rendered::Html(html) => panic!("{}", &html[..200]),
        }
    }
    let long = render(&"<".repeat(MAX_LENGTH + 1), Folder::default(), Arc::new(Package));
    assert!(long.html().ends_with("&lt;\n…</pre>"));
}
