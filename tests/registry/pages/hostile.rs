//! READMEs and metadata of packages whose authors mean harm: each is shown, and harmless. That rendering is bounded is seen by
//! its result, which is the text as it is written where the markup would be too much.

use std::sync::Arc;

use diesel::RunQueryDsl;
use diesel::sql_types::{Jsonb, Text};
use serde_json::{Value, json};
use supercargo::markdown::{self, Folder, NamedPath, Places, Rendered};

use super::markup::{Tag, assert_harmless, tags};
use super::{page, with_readme};
use crate::support::harness::TestRegistry;
use crate::support::package::Package;

/// A package that has every file, at no repository.
struct Files;

impl Places for Files {
    fn link(&self, named: &NamedPath) -> Option<String> {
        (named.above == 0).then(|| format!("/crates/a/1.0.0/source/{}", named.path))
    }

    fn image(&self, named: &NamedPath) -> Option<String> {
        (named.above == 0).then(|| format!("/crates/a/1.0.0/raw/{}", named.path))
    }
}

fn rendered(readme: &str) -> Rendered {
    markdown::render(readme, Folder::default(), Arc::new(Files))
}

/// READMEs, each an attack of its own, and what must not be left of it.
const READMES: &[(&str, &str, &[&str])] = &[
    ("a script", "<script>alert(1)</script>", &["alert"]),
    ("a script in capital letters", "<ScRiPt src=//evil.example/x.js></sCrIpT>", &["evil"]),
    ("a script that is not closed", "text <script>alert(1)", &["alert"]),
    ("a script in a script", "<scr<script>ipt>alert(1)</scr</script>ipt>", &["<script"]),
    ("an event handler", "<img src=x onerror=alert(1)>", &["onerror"]),
    ("an event handler after a slash", "<img/src=x/onerror=alert(1)>", &["onerror=a"]),
    ("an event handler of a paragraph", "<p onmouseover=\"alert(1)\">a</p>", &["onmouseover", "alert"]),
    ("an event handler of details", "<details open ontoggle=alert(1)>a</details>", &["ontoggle"]),
    ("a javascript link", "[a](javascript:alert(1))", &["javascript:"]),
    ("a javascript link in HTML", "<a href=\"javascript:alert(1)\">a</a>", &["javascript:"]),
    ("a javascript link with a tab", "<a href=\"java\tscript:alert(1)\">a</a>", &["script:"]),
    ("a javascript link with entities", "<a href=\"&#106;avascript&colon;alert(1)\">a</a>", &["alert"]),
    ("a javascript link in capital letters", "[a](JaVaScRiPt:alert(1))", &["alert(1)\""]),
    ("a javascript link in a reference", "[a][b]\n\n[b]: javascript:alert(1)", &["href=\"java"]),
    ("a javascript link in an autolink", "<javascript:alert(1)>", &["href=\"java"]),
    ("a vbscript link", "[a](vbscript:x)", &["vbscript"]),
    ("a data link", "[a](data:text/html;base64,PHNjcmlwdD4=)", &["data:"]),
    ("a data image", "![a](data:image/svg+xml;base64,PHN2Zz4=)", &["data:"]),
    ("a file link", "[a](file:///etc/passwd)", &["file:"]),
    ("a link without scheme", "[a](//evil.example/x)", &["evil"]),
    ("a link with backslashes", "[a](\\\\\\\\evil.example/x)", &["href=\"\\"]),
    ("a link out of the package", "[a](../../../api/v1/me)", &["/api/v1/me"]),
    ("an image of another host", "![tracker](https://evil.example/pixel.png)", &["<img"]),
    (
        "an image of another host in HTML",
        "<img src=\"https://evil.example/p\" srcset=\"https://evil.example/q 2x\">",
        &["<img", "srcset"],
    ),
    (
        "a picture",
        "<picture><source srcset=\"https://evil.example/p\"><img src=\"//evil.example/p\"></picture>",
        &["<img", "srcset", "<source"],
    ),
    (
        "an SVG",
        "<svg onload=alert(1)><script>alert(2)</script><a xlink:href=\"javascript:x\">b</a></svg>",
        &["alert", "svg"],
    ),
    (
        "a MathML maction",
        "<math><maction actiontype=\"statusline\" xlink:href=\"javascript:alert(1)\">c</maction></math>",
        &["alert", "math"],
    ),
    (
        "a mutation by nested namespaces",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        &["onerror", "style"],
    ),
    ("a mutation by noscript", "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", &["<img src=\"x"]),
    ("a comment that ends early", "<!--><img src=x onerror=alert(1)>-->", &["onerror"]),
    ("a CDATA section", "<![CDATA[<script>alert(1)</script>]]>", &["<script"]),
    ("a base", "<base href=\"https://evil.example/\">[a](b)", &["<base", "evil"]),
    ("a refresh", "<meta http-equiv=\"refresh\" content=\"0;url=https://evil.example\">", &["<meta", "evil"]),
    (
        "a style sheet",
        "<style>body{background:url(https://evil.example)}</style><link rel=stylesheet href=//evil.example>",
        &["evil", "<style", "<link"],
    ),
    (
        "a style attribute",
        "<div style=\"position:fixed;inset:0;background:url(//evil.example)\">a</div>",
        &["style=", "evil"],
    ),
    ("a class of the page", "<div class=\"skip notice bad\">a</div>", &["notice"]),
    ("an id of the page", "<p id=\"content\">a</p><p id=\"q\">b</p>", &["id=\"content\"", "id=\"q\""]),
    ("a name that hides a property", "<a name=\"getElementById\">a</a><img name=cookie>", &["name="]),
    (
        "a form",
        "<form action=\"https://evil.example\"><input name=token><button formaction=//evil.example>Sign in</button></form>",
        &["<form", "<input", "<button", "evil"],
    ),
    (
        "a frame",
        "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe><object data=x></object><embed src=x>",
        &["iframe", "alert", "<object", "<embed"],
    ),
    ("a video", "<video src=\"https://evil.example/v\" autoplay onplay=alert(1)></video>", &["evil", "<video"]),
    (
        "a link that opens a window",
        "<a href=\"https://a.example\" target=\"_blank\" rel=\"opener\" ping=\"//evil.example\">a</a>",
        &["target", "\"opener\"", "ping"],
    ),
    (
        "a huge colspan",
        "<table><tr><td colspan=\"999999999\" rowspan=\"65534000\">a</td></tr></table>",
        &["999999999", "65534000"],
    ),
    ("a code block that ends early", "```html\n</code></pre><script>alert(1)</script>\n```", &["<script"]),
    ("a language that is markup", "```\"><script>alert(1)</script>\na\n```", &["<script"]),
    ("a heading that is markup", "# <img src=x onerror=alert(1)> \"a\"", &["onerror"]),
    ("an alternative text that is markup", "![\"><script>alert(1)</script>](https://a.example/b.png)", &["<script"]),
    ("a title that is markup", "[a](https://b.example '\"><img src=x onerror=alert(1)>')", &["<img"]),
    ("a footnote that is markup", "a[^\"><script>]\n\n[^\"><script>]: b", &["<script"]),
    ("text from right to left", "a\u{202e}gpj.exe\u{2066}b\u{200b}c", &["\u{202e}", "\u{2066}"]),
    ("a terminal's escapes", "a\u{1b}[31mb\u{7}", &["\u{1b}", "\u{7}"]),
    ("a NUL", "a\0<scr\0ipt>alert(1)</scr\0ipt>", &["\0", "<script"]),
];

#[test]
fn every_readme_is_rendered_harmless() {
    assert!(READMES.len() >= 40, "{}", READMES.len());
    for (case, readme, gone) in READMES {
        let Rendered::Html(html) = rendered(readme) else { panic!("{case} is not rendered") };
        assert_harmless(&html, case);
        let markup = markup_of(&html);
        for gone in *gone {
            assert!(!markup.contains(gone), "{case}: {gone:?} is left in {html}");
        }
    }
}

/// The tags alone, with the values of their attributes escaped: what is shown as text is harmless.
fn markup_of(html: &str) -> String {
    let attribute = |(name, value): &(String, String)| format!(" {name}=\"{}\"", value.replace('<', "&lt;"));
    let tag = |tag: &Tag| format!("<{}{}>", tag.name, tag.attributes.iter().map(attribute).collect::<String>());
    tags(html).iter().map(tag).collect()
}

#[test]
fn what_would_be_too_much_is_shown_as_it_is_written() {
    let nested_tables = "<table><tr><td>".repeat(2_000);
    let attributes = format!("<p {}>a</p>", (0..20_000).map(|n| format!("a{n}=b ")).collect::<String>());
    let cases = [
        ("a line of ten megabytes", "x".repeat(10 << 20)),
        ("ten megabytes of brackets", "[".repeat(10 << 20)),
        ("deep divisions", "<div>".repeat(20_000)),
        ("deep tables", nested_tables),
        (
            "open elements before many paragraphs",
            format!("{}\n\n{}", "<b class=a><i class=b>".repeat(90), "<p>x\n\n".repeat(20_000)),
        ),
        ("deep quotes", format!("{}a", ">".repeat(50_000))),
    ];
    for (case, readme) in &cases {
        match rendered(readme) {
            Rendered::Plain(html) => assert_harmless(&html, case),
            Rendered::Html(html) => panic!("{case} is rendered: {}", &html[..200]),
        }
    }
    // These are bearable, and stay bounded.
    for (case, readme) in [
        ("many attributes", attributes),
        ("deep lists", (0..2_000).map(|depth| format!("{}- a\n", "  ".repeat(depth.min(400)))).collect()),
        ("a huge table", format!("|{}\n|{}\n{}", "a|".repeat(500), "-|".repeat(500), "|b\n".repeat(500))),
        ("many emphases", "*a **b ".repeat(20_000)),
        ("many open brackets", "[a](".repeat(50_000)),
        ("many footnotes", (0..5_000).map(|n| format!("a[^{n}]\n\n[^{n}]: b\n\n")).collect()),
        ("many references", format!("{}\n\n[a]: /b", "[a]".repeat(50_000))),
        ("many backticks", (1..700).map(|n| format!("{}a", "`".repeat(n))).collect()),
    ] {
        let shown = rendered(&readme);
        assert_harmless(shown.html(), case);
        assert!(shown.html().len() <= 4 << 20, "{case}: {}", shown.html().len());
    }
}

/// The manifest of a version that came from a program without today's checks.
fn hostile_manifest() -> Value {
    let markup = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&";
    json!({
        "description": format!("{markup}\u{202e}gpj"),
        "homepage": "javascript:alert(1)",
        "documentation": "data:text/html,<script>alert(1)</script>",
        "repository": "https://a.example/\"><script>alert(1)</script>",
        "license": markup,
        "license_file": "../../<script>",
        "links": markup,
        "rust_version": markup,
        "edition": markup,
        "authors": [markup, "\u{202e}evil", "аnn"],
        "keywords": ["<b>", "a\"b"],
        "categories": ["<i>::x"],
        "features": { "default": ["<script>"], markup: ["dep:\u{202e}x", "sеrde"] },
        "has_lib": true,
        "bin_names": [markup],
    })
}

#[test]
fn metadata_that_is_markup_is_shown_as_text_on_every_page() {
    let registry = TestRegistry::new();
    let ann = registry.user("ann");
    ann.publish(&with_readme("foo", "1.0.0", "# Text")).good();
    ann.publish(&Package::new("foo", "1.1.0")).good();
    registry.run_jobs();
    registry
        .pool
        .with(|connection| {
            diesel::sql_query("UPDATE versions SET manifest = $1")
                .bind::<Jsonb, _>(hostile_manifest())
                .execute(connection)
                .unwrap();
            let dependency = "INSERT INTO dependencies (version_id, place, name, rename, req, kind, optional,
            default_features, features, target, registry)
            SELECT id, 1, 'bar', $1, $1, 'normal', true, false, ARRAY[$1], $1, $1 FROM versions";
            diesel::sql_query(dependency).bind::<Text, _>("\"><script>alert(1)</script>").execute(connection).unwrap();
            diesel::sql_query("INSERT INTO pending_descriptions (crate_id) SELECT id FROM crates")
                .execute(connection)
                .unwrap();
        })
        .unwrap();
    registry.describe();
    let pages = [
        "/",
        "/crates/foo",
        "/crates/foo/1.0.0",
        "/crates/foo/versions",
        "/crates/foo/1.0.0/features",
        "/crates/foo/1.0.0/dependencies",
        "/search",
        "/search?q=foo",
        "/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/search?owner=%3Cscript%3E&keyword=%3Cscript%3E&category=%3Cscript%3E",
        "/advisories?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/keywords",
        "/categories",
    ];
    for path in pages {
        let html = page(&registry, path);
        let scripts: Vec<_> = tags(&html).into_iter().filter(|tag| tag.name == "script").collect();
        assert_eq!(scripts.len(), 1, "{path}: {html}");
        for tag in tags(&html) {
            assert!(
                !tag.attributes.iter().any(|(name, _)| name.starts_with("on") || name == "style"),
                "{path}: {tag:?}"
            );
            for name in ["href", "src", "action"] {
                let target = tag.get(name).unwrap_or("/");
                let is_good = ["/", "#", "https://", "http://registry.test"].iter().any(|one| target.starts_with(one));
                assert!(is_good && !target.starts_with("//"), "{path}: {target}");
            }
        }
        assert!(!html.contains('\u{202e}'), "{path}");
    }
    let html = page(&registry, "/crates/foo");
    assert!(html.contains("U+202E") && html.contains("title=\"not ASCII: U+0435\""), "{html}");
    for feed in ["/feeds/crates.atom", "/feeds/versions.atom", "/crates/foo/feed.atom"] {
        let text = registry.anonymous().get(feed).good().text();
        assert!(!text.contains("<script") && !text.contains('\u{202e}'), "{feed}: {text}");
    }
}
