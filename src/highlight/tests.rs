//! What is highlighted, and that nothing of the text is lost or takes long.

use super::*;

/// The pieces that have a class, each with its letter.
fn classified(text: &str, language: &str) -> String {
    let mut shown = Vec::new();
    let mut start = 0;
    for piece in pieces(text, Language::of_name(language)) {
        if let Some(name) = piece.class.name() {
            shown.push(format!("{name}:{}", text[start..piece.end].escape_debug()));
        }
        start = piece.end;
    }
    shown.join(" ")
}

/// The text of HTML that [`Highlighted`] has written.
fn text_of(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        rest = tag.split_once('>').unwrap().1;
    }
    text.push_str(rest);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character))
}

#[test]
fn rust_is_divided_as_its_compiler_does() {
    insta::assert_snapshot!(
        classified("#[derive(Debug)] // a\n/// b\npub fn f<'a>(x: &'a str) -> Option<u8> { println!(\"{x}\\\"\"); g(1.5e3, MAX, true) }", "rs"),
        @r#"a:#[derive(Debug)] c:// a d:/// b k:pub k:fn l:\'a l:\'a t:str t:Option t:u8 m:println s:\"{x}\\\"\" f:g n:1.5e3 b:MAX b:true"#
    );
    insta::assert_snapshot!(classified("r#\"a \" b\"# /* a /* b */ c */ r#fn a != b 'x' \"open", "rs"), @r##"s:r#\"a \" b\"# c:/* a /* b */ c */ s:\'x\' s:\"open"##);
}

#[test]
fn other_languages_are_divided_by_their_tables() {
    insta::assert_snapshot!(classified("# a\n[package.metadata]\nrust-version = \"1.0 # no\" # b\nx = [1, true]\n", "toml"), @r#"c:# a h:[package.metadata] p:rust-version s:\"1.0 # no\" c:# b p:x n:1 b:true"#);
    insta::assert_snapshot!(classified("{\"a\": [\"b\\\"\", 1, null]}", "json"), @r#"p:\"a\" s:\"b\\\"\" n:1 b:null"#);
    insta::assert_snapshot!(classified("#include <a.h>\n/* a\n b */ static int f(char c) { return c == '\"'; } // x\n", "c"), @r#"a:#include c:/* a\n b */ k:static t:int f:f t:char k:return s:\'\"\' c:// x"#);
    insta::assert_snapshot!(classified("# a\nif [ \"$x\" = 'a b' ]; then echo $1 ${HOME} a#b; fi\n", "sh"), @r#"c:# a k:if s:\"$x\" s:\'a b\' k:then p:$1 p:${HOME} k:fi"#);
    insta::assert_snapshot!(classified("- name: a # b\n  on: [push]\n  url: http://x\n", "yml"), @"p:- name c:# b p:on p:url");
    insta::assert_snapshot!(classified("def f(x):\n    \"\"\"a\n    b\"\"\"\n    return None # c\n", "py"), @r#"k:def f:f s:\"\"\"a\n    b\"\"\" k:return b:None c:# c"#);
}

#[test]
fn markdown_has_the_colours_of_the_languages_in_it() {
    insta::assert_snapshot!(
        classified("# A\n\n> b `c` [d](e)\n\n- f\n\n```rust\nfn g() {}\n```\n~~~\nfn h() {}\n~~~\n```toml\n[i]\n", "md"),
        @r#"h:# A\n c:> s:`c` p:(e) k:- a:```rust\n k:fn f:g a:```\n~~~\n a:~~~\n```toml\n h:[i]"#
    );
}

#[test]
fn every_text_comes_out_as_it_went_in() {
    let texts = [
        "",
        "\n",
        "a",
        "a\n\nb",
        "\r\n",
        "\"",
        "'",
        "`",
        "/*",
        "#",
        "#!",
        "#![",
        "r#\"",
        "\\",
        "\"\\",
        "$",
        "${",
        "```",
        "```rust\n\"",
        "[a](",
        "größe 漢語 👍 = \"ä\\",
        "- - -",
        "[x",
        "a = [\n\"b\"]",
        "0x",
        "1.",
        "--",
        "''",
        "\u{feff}fn",
        "'\u{301}",
    ];
    let languages =
        ["rs", "md", "toml", "json", "yml", "c", "js", "py", "sh", "make", "sql", "html", "nix", "ini", "txt"];
    for text in texts {
        for language in languages {
            let highlighted = Highlighted::new(text, Language::of_name(language));
            let mut lines = Vec::new();
            for line in 0..highlighted.len() {
                let mut html = String::new();
                highlighted.write_line(&mut html, line, &[]);
                lines.push(text_of(&html).replace("U+FEFF", "\u{feff}"));
            }
            let expected: Vec<String> =
                text.split_inclusive('\n').map(|line| line.trim_end_matches(['\n', '\r']).to_owned()).collect();
            assert_eq!(lines, expected, "{text:?} as {language}");
        }
    }
}

#[test]
fn marks_lie_across_the_pieces_of_a_line() {
    let highlighted = Highlighted::new("x\nfn ab(c)\n", Language::Rust);
    let mut html = String::new();
    highlighted.write_line(&mut html, 1, &[1..4, 7..8]);
    insta::assert_snapshot!(html, @r#"<span class="k">f</span><mark><span class="k">n</span></mark><mark> </mark><mark><span class="f">a</span></mark><span class="f">b</span>(c<mark>)</mark>"#);
}

#[test]
fn long_texts_and_long_lines_have_no_colours() {
    let colours = |text: &str| {
        let mut html = String::new();
        Highlighted::new(text, Language::Rust).write_line(&mut html, 0, &[]);
        html.contains("<span")
    };
    assert!(colours("fn a() {}\n"));
    assert!(!colours(&format!("fn a() {{}}\n{}", "x".repeat(MAX_LINE + 1))));
    assert!(!colours(&"fn a() {}\n".repeat(MAX_TEXT / 10 + 1)));
}
