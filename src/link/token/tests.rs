#![expect(clippy::disallowed_methods, reason = "writes the files it reads")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn write(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn in_file(path: &Path) -> TokenPlaces {
    TokenPlaces {
        token_file: Some(path.to_owned()),
        ..TokenPlaces::default()
    }
}

fn revealed(places: &TokenPlaces) -> Result<String, String> {
    places
        .read()
        .map(|token| token.reveal().to_owned())
        .map_err(|error| error.to_string())
}

#[test]
fn a_token_file_is_read_anew_each_time_and_its_stamp_changes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "token.current", "one\n");
    let places = in_file(&path);
    assert_eq!(revealed(&places).unwrap(), "one");
    let stamp = places.stamp();
    assert_eq!(places.stamp(), stamp);
    fs::rename(write(&dir, "token.next", "two\n"), &path).unwrap();
    assert_ne!(places.stamp(), stamp);
    assert_eq!(revealed(&places).unwrap(), "two");
}

#[test]
fn links_pipes_folders_and_files_that_others_may_write_are_refused_and_errors_show_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let real = write(&dir, "real", "s3cret");
    let link = dir.path().join("link");
    symlink(&real, &link).unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let open = write(&dir, "open", "s3cret");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    let large = write(&dir, "large", &"s3cret".repeat(1_000));
    let two = write(&dir, "two-lines", "s3cret\ns3cret");
    let empty = write(&dir, "empty", "\n");
    for (path, why) in [
        (link.as_path(), "circle"),
        (&pipe, "not a regular file"),
        (dir.path(), "is a directory"),
        (&open, "writable by others"),
        (&large, "longer than 4096"),
        (&two, "holds no token"),
        (&empty, "holds no token"),
        (Path::new("/nonexistent/token"), "cannot be read"),
    ] {
        let error = revealed(&in_file(path)).unwrap_err();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn the_env_file_and_the_config_are_asked_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let env = write(&dir, "env", "OTHER=1\nOPENCLAW_GATEWAY_TOKEN=from-env\nMINE=mine\n");
    let secrets = write(&dir, "secrets.json", r#"{"gateway":{"token":"from-secrets"}}"#);
    let single = write(&dir, "single", "from-single\n");
    let plain = write(&dir, "plain-env", "MINE=mine\n");
    let with = |token: &str, env_file: Option<&PathBuf>| {
        let text = format!(
            r#"{{"gateway":{{"auth":{{"mode":"token","token":{token}}}}},"secrets":{{"providers":{{
            "j":{{"source":"file","path":{secrets:?},"mode":"json"}},"s":{{"source":"file","path":{single:?}}},"r":{{"path":"rel"}}}}}}}}"#
        );
        revealed(&TokenPlaces {
            config_file: Some(write(&dir, "openclaw.json", &text)),
            env_file: env_file.cloned(),
            ..TokenPlaces::default()
        })
    };
    assert_eq!(with("\"literal\"", Some(&env)).unwrap(), "from-env");
    let kept_back = with("\"l1teral\"", None).unwrap_err();
    assert!(
        kept_back.contains("holds its token itself") && !kept_back.contains("l1teral"),
        "{kept_back}"
    );
    assert_eq!(with("\"${MINE}\"", Some(&plain)).unwrap(), "mine");
    assert_eq!(with(r#"{"source":"env","id":"MINE"}"#, Some(&plain)).unwrap(), "mine");
    assert_eq!(
        with(r#"{"source":"file","provider":"j","id":"/gateway/token"}"#, None).unwrap(),
        "from-secrets"
    );
    assert_eq!(
        with(r#"{"source":"file","provider":"s","id":"value"}"#, None).unwrap(),
        "from-single"
    );
    for (token, why) in [
        (r#""${MISSING}""#, "a variable that env_file does not set"),
        (
            r#"{"source":"file","provider":"r","id":"value"}"#,
            "without an absolute path",
        ),
        (
            r#"{"source":"file","provider":"j","id":"/no"}"#,
            "holds no token where the config says",
        ),
        (r#"{"source":"exec","id":"x"}"#, "a source that is not read"),
        ("7", "holds no gateway.auth.token"),
    ] {
        let error = with(token, None).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let json5 = write(&dir, "openclaw.json5", "{ gateway: { /* s3cret */ } }");
    let error = revealed(&TokenPlaces {
        config_file: Some(json5),
        ..TokenPlaces::default()
    })
    .unwrap_err();
    assert!(error.contains("is not plain JSON: set token_file"), "{error}");
    assert!(
        revealed(&TokenPlaces::default())
            .unwrap_err()
            .contains("no gateway token is known")
    );
}
