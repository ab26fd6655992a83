use super::*;

/// A package that has these files, and a repository.
struct Package;

impl Places for Package {
    fn link(&self, named: &NamedPath) -> Option<String> {
        (named.above == 0).then(|| format!("/crates/a/1.0.0/source/{}", named.path))
    }

    fn image(&self, named: &NamedPath) -> Option<String> {
        let is_here = named.above == 0 && named.path.ends_with(".png");
        is_here.then(|| format!("/crates/a/1.0.0/raw/{}", named.path))
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
    insta::assert_snapshot!(html("# A *b*\n\n| a | b |\n|---|:-:|\n| 1 | ~~2~~ |\n\n- [x] done\n- [ ] not\n\nSee[^1] https://a.example\n\n[^1]: Note"), @r##"
    <h2 id="readme-a-b">A <em>b</em></h2>
    <table tabindex="0">
    <thead>
    <tr>
    <th>a</th>
    <th align="center">b</th>
    </tr>
    </thead>
    <tbody>
    <tr>
    <td>1</td>
    <td align="center"><del>2</del></td>
    </tr>
    </tbody>
    </table>
    <ul>
    <li class="task-list-item"><span role="img" aria-label="done">☑</span> done</li>
    <li class="task-list-item"><span role="img" aria-label="not done">☐</span> not</li>
    </ul>
    <p>See<sup><a href="#readme-fn-1" id="readme-fnref-1" rel="nofollow noopener">1</a></sup> <a href="https://a.example/" rel="nofollow noopener">https://a.example</a></p>
    <section class="footnotes">
    <ol>
    <li id="readme-fn-1">
    <p>Note <a href="#readme-fnref-1" aria-label="Back to reference 1" rel="nofollow noopener">↩</a></p>
    </li>
    </ol>
    </section>
    "##);
}

#[test]
fn links_lead_to_packaged_files_and_out_of_the_page() {
    insta::assert_snapshot!(html("[a](x.md#y) [b](../LICENSE) [c](https://b.example/?q=1&r) [d](#A) [e](../../up) <me@b.example>"), @r##"<p><a href="/crates/a/1.0.0/source/docs/x.md#y" rel="nofollow noopener">a</a> <a href="/crates/a/1.0.0/source/LICENSE" rel="nofollow noopener">b</a> <a href="https://b.example/?q=1&amp;r" rel="nofollow noopener">c</a> <a href="#readme-A" rel="nofollow noopener">d</a> <a rel="nofollow noopener">e</a> <a href="mailto:me@b.example" rel="nofollow noopener">me@b.example</a></p>"##);
    insta::assert_snapshot!(html("![p](p.png) ![q](q.gif) ![r](https://c.example/r.svg) [![s](https://c.example/s.svg)](https://d.example)"), @r##"<p><img src="/crates/a/1.0.0/raw/docs/p.png" alt="p" loading="lazy"> <span class="image">q</span> <a class="image" href="https://c.example/r.svg" rel="nofollow noopener" title="an image of another host">r</a> <a href="https://d.example/" rel="nofollow noopener"><span class="image">s</span></a></p>"##);
}

#[test]
fn code_is_shown_as_rustdoc_shows_it() {
    insta::assert_snapshot!(html("```rust,no_run\n# use a::b;\nlet c = \"<d>\";\n```\n\n```mermaid\ngraph TD; A-->B\n```\n"), @r##"
    <pre tabindex="0"><code><span class="k">let</span> c = <span class="s">"&lt;d&gt;"</span>;
    </code></pre>
    <pre tabindex="0"><code>graph TD; A--&gt;B
    </code></pre>
    "##);
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
