use expect_test::{Expect, expect};

use super::*;

fn check(text: impl AsRef<[u8]>, expected: Expect) {
    let shown = match parse("t.yaml", text.as_ref()) {
        Ok(node) => outline(&node),
        Err(problems) => problems.to_string(),
    };
    expected.assert_eq(&shown);
}

fn outline(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Scalar(scalar) if scalar.plain => scalar.text.clone(),
        Value::Scalar(scalar) => format!("{:?}", scalar.text),
        Value::List(items) => format!("[{}]", items.iter().map(outline).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|entry| format!("{}@{}: {}", entry.key, entry.key_at.line, outline(&entry.node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn every_node_knows_its_line() {
    check(
        "# a comment\na: 1\nb:\n  - x\n  - {c: 'true', d: true}\ne: |\n  two\n  lines\nf:\ng: ~\n",
        expect![[r#"{a@2: 1, b@3: [x, {c@5: "true", d@5: true}], e@6: "two\nlines\n", f@9: null, g@10: null}"#]],
    );
}

#[test]
fn an_empty_file_or_one_of_comments_is_nothing_set() {
    check("", expect!["null"]);
    check("\n# later\n\n", expect!["null"]);
    check("---\n", expect!["null"]);
    check("\u{feff}a: 1", expect!["{a@1: 1}"]);
}

#[test]
fn equal_keys_are_all_reported_with_both_lines() {
    check(
        "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n",
        expect![[r#"
            t.yaml:3: a: is set twice: here and on line 1; keep one
            t.yaml:4: d: is set twice: here and on line 4; keep one"#]],
    );
}

#[test]
fn a_tab_that_indents_is_named_as_such() {
    check(
        "a:\n\tb: 1\n",
        expect!["t.yaml:2: a tab indents this line; YAML wants spaces there"],
    );
}

#[test]
fn binary_junk_is_not_taken_for_yaml() {
    check(
        b"\x7fELF\x02\x01",
        expect!["t.yaml:1: control character 0x7f: is this a YAML file?"],
    );
    check(
        b"a: 1\nb: \xff\xfe\n",
        expect!["t.yaml:2: not UTF-8 text: is this a YAML file?"],
    );
    check(
        b"a: 1\nb: \0\n",
        expect!["t.yaml:2: control character 0x00: is this a YAML file?"],
    );
}

#[test]
fn two_mebibytes_are_refused_unread() {
    check(
        vec![b'a'; 2 << 20],
        expect!["t.yaml: is 2097152 bytes long; at most 1048576 are read"],
    );
}

#[test]
fn one_file_holds_one_document() {
    check(
        "a: 1\n---\nb: 2\n",
        expect!["t.yaml:2: a second document (`---`) begins here; one file holds one"],
    );
    check("a: 1\n...\n", expect!["{a@1: 1}"]);
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse("t", nested(DEPTH_MAX).as_bytes()).is_ok());
    check(nested(DEPTH_MAX + 1), expect!["t.yaml:1: nested deeper than 32 levels"]);
    let deep = "- ".repeat(400_000);
    check(deep, expect!["t.yaml:1: nested deeper than 32 levels"]);
}

#[test]
fn aliases_are_read_within_bounds() {
    check("a: &x {b: 1}\nc: *x\n", expect!["{a@1: {b@1: 1}, c@2: {b@1: 1}}"]);
    check("a: &x [1, *x]\n", expect!["t.yaml:1: an alias within its own anchor"]);
    check(
        "a: *nobody\n",
        expect!["t.yaml:1: not YAML: while parsing node, found unknown anchor"],
    );
}

#[test]
fn an_alias_bomb_costs_nothing_but_an_error() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    check(
        bomb,
        expect!["t.yaml:5: more than 65536 values, copies made by aliases included"],
    );
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 1000].join(", "));
    check(
        text,
        expect!["t.yaml:2: more than 4194304 bytes of text, copies made by aliases included"],
    );
}

#[test]
fn depth_counts_through_aliases() {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..40 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    check(text, expect!["t.yaml:32: nested deeper than 32 levels by an alias"]);
}

#[test]
fn keys_are_single_values_and_tags_are_yamls_own() {
    check(
        "? [a]\n: 1\n",
        expect!["t.yaml:1: a key must be a single value, not a map or a list"],
    );
    check(
        "{[a]: 1}",
        expect!["t.yaml:1: a key must be a single value, not a map or a list"],
    );
    check("a: !!str 1\nb: !!int 2\n", expect![[r#"{a@1: "1", b@2: 2}"#]]);
    check(
        "a: !secret 1\n",
        expect!["t.yaml:1: the tag !secret is not known here; leave it out"],
    );
}

#[test]
fn what_is_not_yaml_names_its_line() {
    for broken in [
        "a: b: c",
        "a: 'x",
        "a: [1, 2",
        "{a: 1",
        "a: 1\n b: 2",
        "@a: 1",
        "%YAML",
        "a: \"\\q\"",
    ] {
        let problems = parse("t.yaml", broken.as_bytes()).unwrap_err();
        assert!(problems.to_string().starts_with("t.yaml:"), "{broken}: {problems}");
    }
}

/// No input may panic, recurse without bound or take quadratic time.
#[test]
fn hostile_shapes_of_a_mebibyte_end_soon() {
    let units = [
        "[",
        "{",
        "- ",
        "? ",
        ": ",
        "a: ",
        "a:\n",
        "&a ",
        "*a ",
        "!a ",
        "'",
        "\"",
        "|\n",
        "\t",
        "#",
        "---\n",
        "%",
        ",",
        "a,",
        "{a: ",
        "[a, ",
        "\n",
        "\r",
        "a\n",
        "- a\n",
        "a: &b c\n",
    ];
    for unit in units {
        let text = unit.repeat(FILE_BYTES_MAX / unit.len());
        let _ = parse("t", text.as_bytes());
    }
}

#[test]
fn random_junk_never_panics() {
    const ALPHABET: &[u8] = b"abc01:-?[]{},&*!|>'\"%@#~ \n\t.\xc3\xa9";
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..(round % 48) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text.push(ALPHABET[(seed % ALPHABET.len() as u64) as usize]);
        }
        let _ = parse("t", &text);
    }
}
