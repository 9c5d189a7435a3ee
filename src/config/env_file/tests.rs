#![expect(clippy::disallowed_methods, reason = "shell: the tests write files")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;

fn shown(text: &str) -> Vec<String> {
    let read = parse(text);
    let vars = read.vars.iter().map(|(name, value)| format!("{name}={value:?}"));
    vars.chain(read.notes.iter().cloned()).collect()
}

#[test]
fn lines_are_names_and_values_with_or_without_quotes() {
    assert_eq!(
        shown(
            "# a comment\n\nA=1\nexport B=two words  \nC='it is $HOME'\nD=\"a \\\"b\\\" \\\\ \\n \\$x \\q\"\nE=\nF=a=b#c\r\n"
        ),
        [
            "A=\"1\"",
            "B=\"two words\"",
            "C=\"it is $HOME\"",
            "D=\"a \\\"b\\\" \\\\ \\n $x \\\\q\"",
            "E=\"\"",
            "F=\"a=b#c\"",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_noted_by_line_without_its_text() {
    assert_eq!(
        shown("sk-hunter2\n1A=x\nB='unclosed\nC=\"x\ny\"\nA=1\nA=2\n='x'\n\"\n"),
        [
            "A=\"2\"",
            "line 1 is ignored: it is not NAME=value",
            "line 2 is ignored: what stands before = is not a variable's name",
            "line 3 is ignored: its quote does not end the line",
            "line 4 is ignored: its quote does not end the line",
            "line 5 is ignored: it is not NAME=value",
            "line 7: A is set again; the last value counts",
            "line 8 is ignored: what stands before = is not a variable's name",
            "line 9 is ignored: it is not NAME=value",
        ]
    );
}

#[test]
fn variables_that_load_code_or_choose_the_tenant_are_ignored() {
    let reserved = "LD_PRELOAD DYLD_INSERT_LIBRARIES NODE_OPTIONS OPENCLAW_HOME OPENCLAW_STATE_DIR OPENCLAW_CONFIG_PATH OPENCLAW_PROFILE OPENCLAW_NO_RESPAWN";
    for name in reserved.split(' ') {
        let read = parse(&format!("{name}=x\nOPENCLAW_GATEWAY_TOKEN=y\nLDX=z\n"));
        assert_eq!(read.vars.len(), 2, "{name}");
        assert_eq!(
            read.notes,
            [format!(
                "line 1: {name} is ignored: it would change what is asked, not how"
            )]
        );
    }
}

#[test]
fn values_do_not_appear_in_debug_output() {
    let shown = format!("{:?}", parse("KEY=hunter2\n"));
    assert!(shown.contains("KEY") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn variables_are_bounded() {
    let text: String = (0..2000).map(|index| format!("V{index}=x\n")).collect();
    let read = parse(&text);
    assert_eq!((read.vars.len(), read.notes.len()), (VARIABLES_MAX, 1));
}

fn file(mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("acme.env");
    std::fs::write(&path, "A=1\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    (dir, path)
}

fn refusal(path: &Path) -> String {
    let name = format!("env file {} ", path.display());
    read_env_file(path).unwrap_err().replace(&name, "")
}

#[test]
fn a_file_of_ours_that_others_may_read_is_taken() {
    for mode in [0o600, 0o640, 0o644] {
        let (_dir, path) = file(mode);
        assert_eq!(read_env_file(&path).unwrap().vars, [("A".to_owned(), "1".to_owned())]);
    }
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    for mode in [0o620, 0o602, 0o666] {
        let (_dir, path) = file(mode);
        assert_eq!(refusal(&path), "is writable by others; run chmod go-w on it");
    }
}

#[test]
fn links_directories_and_long_files_are_refused() {
    let (dir, path) = file(0o600);
    let link = dir.path().join("link.env");
    symlink(&path, &link).unwrap();
    assert!(refusal(&link).contains("symbolic links"), "{}", refusal(&link));
    assert_eq!(refusal(dir.path()), "cannot be read: it is a directory");
    assert_eq!(
        refusal(&dir.path().join("no")),
        "cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(
        refusal(Path::new("/dev/null")),
        "cannot be read: it is not a regular file"
    );
    std::fs::write(&path, vec![b'#'; FILE_BYTES_MAX + 1]).unwrap();
    assert_eq!(refusal(&path), "is longer than 65536 bytes, more than is read");
    std::fs::write(&path, b"A=\xff").unwrap();
    assert_eq!(refusal(&path), "is not UTF-8 text");
}

#[test]
fn a_file_of_another_user_is_refused() {
    // Only root can give a file away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_dir, path) = file(0o600);
    std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
    assert_eq!(refusal(&path), "belongs to user 12345; it must be root's or ours (0)");
}
