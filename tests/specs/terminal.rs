//! The command line at a real terminal: how wide, in which colours, what it redraws and what it gives back; and what the
//! shells and the manual make of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthStr as _;

use crate::harness::terminal::{Terminal, plain};
use crate::harness::{Node, PATIENCE, READYD, free_port, left_out, peer, signal};

const QUIET: &str = "tenants: {acme: {endpoints: {crm: {budget: 50}}}}\nprobes: {doctor: {enabled: false}}\n";

/// A tenant whose gateway does not run, and wide characters where a stranger may put them.
fn in_trouble() -> Node {
    let node = Node::start(&format!(
        "tenants: {{acme: {{port: {}}}, beta: {{required: false}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{every: 1s, retry_every: 200ms}}}}\n",
        free_port()
    ));
    node.until_status("down", PATIENCE);
    for endpoint in [
        "https://crm.example/日本語/a-path-that-is-far-too-long-for-any-terminal",
        "crm",
    ] {
        node.cli_ok(&[
            "emit",
            "--tenant",
            "beta",
            "--endpoint",
            endpoint,
            "--status",
            "503",
            "--count",
            "60",
        ]);
    }
    node.until("/v1/status", PATIENCE, |answer| {
        answer.json()["tenants"]["beta"] == "degraded"
    });
    node
}

/// Runs it at a terminal to its end; everything it wrote.
fn at_terminal(node: &Node, arguments: &[&str], columns: u16) -> String {
    let mut terminal = Terminal::sit_down(&node.command(arguments), columns, 50);
    terminal.ended();
    terminal.raw()
}

#[test]
fn the_answer_to_why_is_read_at_a_glance_and_fits_the_terminal() {
    let node = in_trouble();
    for arguments in [
        &["status"][..],
        &["status", "--all"],
        &["status", "--tenant", "acme"],
        &["status", "beta", "--all"],
        &["why"],
        &["why", "acme"],
        &["digest"],
    ] {
        for columns in [80, 60, 40] {
            let shown = plain(&at_terminal(&node, arguments, columns));
            for line in shown.lines() {
                assert!(
                    line.width() <= usize::from(columns),
                    "{arguments:?} at {columns}: {line:?}\n{shown}"
                );
            }
        }
    }
    for (arguments, reason) in [
        (&["status"][..], "down      acme gateway: "),
        (&["status", "--tenant", "acme"], "down      gateway: "),
        (&["why"], "down      acme gateway: "),
        (&["why", "acme"], "down      gateway: "),
    ] {
        let shown = plain(&at_terminal(&node, arguments, 80));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].contains("  since ") && lines[0].ends_with(" ago"), "{shown}");
        assert!(lines[2].starts_with(reason), "the worst reason comes first:\n{shown}");
        let next = lines.iter().position(|line| line.starts_with("next: ")).unwrap();
        assert!(lines.len() - next <= 3, "the next step comes last:\n{shown}");
        assert!(
            lines[lines.len() - 1].ends_with("readyd explain gateway@acme"),
            "{shown}"
        );
    }
    let unknown = node.cli(&["status", "--tenant", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}

#[test]
fn colour_is_for_terminals_unless_somebody_says_otherwise() {
    let node = Node::start(QUIET);
    node.until_status("ok", PATIENCE);
    let ok_in_green = |raw: &str| raw.contains("\u{1b}[32mok\u{1b}[0m");
    assert!(ok_in_green(&at_terminal(&node, &["status"], 80)));
    assert!(!at_terminal(&node, &["status", "--color", "never"], 80).contains('\u{1b}'));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut command = node.command(&["status"]);
        command.env(name, value);
        let mut terminal = Terminal::sit_down(&command, 80, 24);
        terminal.ended();
        assert!(!terminal.raw().contains('\u{1b}'), "{name}={value}");
    }
    assert!(!node.cli_ok(&["status"]).contains('\u{1b}'));
    assert!(ok_in_green(&node.cli_ok(&["status", "--color", "always"])));
    let forced = node.command(&["status"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(ok_in_green(&String::from_utf8_lossy(&forced.stdout)));
}

#[test]
fn watching_redraws_in_place_follows_the_window_and_gives_the_terminal_back() {
    let mut node = Node::start(QUIET);
    node.until_status("ok", PATIENCE);
    let mut terminal = Terminal::sit_down(&node.command(&["status", "--watch"]), 80, 24);
    terminal.until(|screen| screen.alternate_screen() && screen.hide_cursor() && screen.contents().starts_with("ok  "));

    node.cli_ok(&["drain", "--reason", "kernel"]);
    terminal.until_it_shows("the node is drained since ");
    assert!(terminal.screen().starts_with("draining  "), "{}", terminal.screen());
    node.cli_ok(&["undrain"]);
    terminal.until(|screen| screen.contents().starts_with("ok  ") && !screen.contents().contains("drained"));

    node.cli_ok(&[
        "drain",
        "--reason",
        "a reason that is long enough to need a second line at last",
    ]);
    terminal.until_it_shows("long enough");
    terminal.resize(44, 6);
    terminal.until(|screen| screen.contents().lines().count() == 6 && screen.contents().contains("more lines"));
    let frame = terminal.screen();
    assert!(frame.lines().all(|line| line.width() <= 44), "{frame}");
    terminal.resize(80, 24);
    terminal.until_it_shows("next: readyd undrain");

    node.stop();
    terminal.until_it_shows("no answer since ");
    assert!(
        terminal.screen().contains("; what is shown is from "),
        "{}",
        terminal.screen()
    );
    assert!(
        terminal.screen().contains("next: readyd undrain"),
        "{}",
        terminal.screen()
    );
    node.spawn();
    node.wait_until_it_answers();
    terminal.until(|screen| !screen.contents().contains("no answer since "));

    let raw = terminal.raw();
    assert!(
        !raw.contains("\u{1b}[2J\u{1b}[H") && raw.matches("\u{1b}[2J").count() == 1,
        "it is not wiped to redraw"
    );
    assert_eq!(
        raw.matches("\u{1b}[?2026h").count(),
        raw.matches("\u{1b}[?2026l").count()
    );

    signal(terminal.child.id(), "TSTP");
    terminal.until(|screen| !screen.alternate_screen() && !screen.hide_cursor());
    signal(terminal.child.id(), "CONT");
    terminal.until(|screen| screen.alternate_screen() && screen.hide_cursor());

    terminal.press("\u{3}");
    assert!(terminal.ended().success());
    assert!(terminal.raw().ends_with("\u{1b}[?25h\u{1b}[?1049l"));
    terminal.until(|screen| !screen.alternate_screen() && !screen.hide_cursor());
}

#[test]
fn a_watch_that_finds_no_daemon_says_where_it_looked_and_waits() {
    let node = Node::prepared(QUIET);
    for what in ["status", "digest"] {
        let mut terminal = Terminal::sit_down(&node.command(&[what, "--watch"]), 80, 24);
        terminal.until_it_shows("readyd serve");
        assert!(terminal.screen().contains("control.sock"), "{}", terminal.screen());
        signal(terminal.child.id(), "TERM");
        assert!(terminal.ended().success());
        assert!(terminal.raw().ends_with("\u{1b}[?25h\u{1b}[?1049l"));
    }
}

#[test]
fn watching_into_a_pipe_prints_when_something_has_changed() {
    let node = Node::start(QUIET);
    node.until_status("ok", PATIENCE);
    let path = node.dir.path().join("watched");
    let mut watch = node
        .command(&["status", "--watch"])
        .stdout(fs::File::create(&path).unwrap())
        .spawn()
        .unwrap();
    let read = || fs::read_to_string(&path).unwrap();
    let until = |holds: &dyn Fn(&str) -> bool| {
        let began = std::time::Instant::now();
        while !holds(&read()) {
            assert!(began.elapsed() < PATIENCE, "{}", read());
            crate::harness::pause();
        }
    };
    until(&|text| text.contains("ok        "));
    node.cli_ok(&["drain", "--reason", "kernel"]);
    until(&|text| text.contains("the node is drained"));
    node.cli_ok(&["undrain"]);
    until(&|text| text.matches("\nok        ").count() == 2);
    // As often as it was asked in between.
    assert_eq!(read().matches(" ok (--all lists them)").count(), 3, "{}", read());
    assert!(!read().contains('\u{1b}') && !read().contains(" ago"), "{}", read());
    signal(watch.id(), "INT");
    assert!(watch.wait().unwrap().success());
}

/// An `openclaw` that takes its time, as a doctor does.
fn slow(node: &Node, seconds: u32) {
    let declared =
        format!("name: slow\nscope: node\nkind: exec\ncommand: [/bin/sleep, \"{seconds}\"]\nparse: exit-code\n");
    fs::write(node.dir.path().join("probes.d/slow.yaml"), declared).unwrap();
}

#[test]
fn a_check_shows_on_a_terminal_how_far_it_is_and_what_it_waits_for() {
    let node = Node::prepared(QUIET);
    slow(&node, 3);
    let out = node.dir.path().join("out");
    let stdout = Stdio::from(fs::File::create(&out).unwrap());
    let mut terminal = Terminal::with_output(&node.command(&["check"]), 60, 10, Some(stdout));
    terminal.until_it_shows(" answered; slow runs, 1 s");
    terminal.until_it_shows(" answered; slow runs, 2 s");
    assert!(
        terminal.screen().contains("not asked: store, webhook-digest"),
        "{}",
        terminal.screen()
    );
    terminal.ended();
    assert!(
        !terminal.screen().contains("answered"),
        "the line is taken back: {}",
        terminal.screen()
    );
    assert!(fs::read_to_string(&out).unwrap().contains("slow"));

    slow(&node, 60);
    let mut terminal = Terminal::sit_down(&node.command(&["check"]), 60, 10);
    terminal.until_it_shows("slow runs, 1 s");
    terminal.press("\u{3}");
    assert_eq!(terminal.ended().code(), Some(3));
    assert!(terminal.screen().contains("interrupted: "), "{}", terminal.screen());
}

#[test]
fn a_check_without_a_terminal_says_at_once_what_it_asks_and_after_ten_seconds_what_it_waits_for() {
    let node = Node::prepared(QUIET);
    slow(&node, 12);
    let output = node.cli(&["check"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[0],
        "readyd: not asked: store, webhook-digest: only a running daemon knows them (readyd check --daemon)"
    );
    assert!(
        lines[1].starts_with("readyd: asking ") && lines[1].ends_with(" checks"),
        "{said}"
    );
    assert!(lines[2].starts_with("readyd: after 10 s "), "{said}");
    assert!(lines[2].contains("still running: slow (") && lines.len() == 3, "{said}");
    let plugin = node.cli(&["check", "--probe", "write", "--format", "nagios"]);
    assert!(plugin.stderr.is_empty() && plugin.status.success(), "{plugin:?}");
}

#[test]
fn a_bare_readyd_is_a_short_help_that_ends_with_what_to_try_first() {
    for (arguments, code) in [(&[][..], 64), (&["--help"], 0), (&["help"], 0)] {
        let output = Command::new(READYD).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.lines().count() <= 50, "{said}");
        let last: Vec<&str> = said.trim_end().lines().rev().take(3).collect();
        assert!(last.iter().all(|line| line.starts_with("  readyd ")), "{said}");
    }
    let status = Command::new(READYD).args(["help", "status"]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("--watch"),
        "{status:?}"
    );
}

#[test]
fn what_is_wrong_is_told_in_commands_and_not_in_routes() {
    let node = Node::start(QUIET);
    node.until_status("ok", PATIENCE);
    let commands: [&[&str]; 5] = [
        &["maintenance", "end", "nobody"],
        &["maintenance", "start", "acme", "--for", "9999h", "--reason", "x"],
        &["drain", "nobody", "--reason", "x"],
        &["explain", "nope"],
        &["check", "--daemon", "--tenant", "nobody"],
    ];
    for command in commands {
        let output = node.cli(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("`readyd "),
            "{command:?}: {said}"
        );
        assert!(!said.contains("/v1/") && !said.contains("GET "), "{command:?}: {said}");
    }
    let asleep = Node::prepared(QUIET);
    let socket = asleep.runtime_dir().join("control.sock");
    let output = asleep.cli(&["status"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("no readyd answers at {} (there is none)", socket.display())),
        "{said}"
    );
    assert!(said.contains("`readyd serve`") && said.contains("--socket"), "{said}");
}

#[test]
fn a_hint_names_the_tenant_over_http_and_on_the_command_line() {
    let node = in_trouble();
    let expected = "Run: readyd digest --tenant beta, then ask whoever runs the endpoint";
    let detail = node.get("/v1/checks/webhook-digest/beta").json();
    assert_eq!(detail["hint"], expected);
    assert!(node.get("/v1/status").body.contains(expected));
    assert!(!node.get("/v1/status").body.contains("TENANT"));
    assert!(node.cli_ok(&["explain", "webhook-digest@beta"]).contains(expected));
}

#[test]
fn config_check_names_the_file_and_says_in_json_what_is_wrong_where() {
    let node = Node::prepared(&format!("{QUIET}exec: {{path: [/nowhere]}}\n"));
    let said = node.cli_ok(&["config", "check"]);
    let first = said.lines().next().unwrap();
    let file = node.config_path().display().to_string();
    assert!(
        first.starts_with(&format!("{file}: valid; 1 tenant, ")) && first.ends_with(" checks"),
        "{said}"
    );
    assert!(!said.contains("openclaw: not found"), "nothing here starts it: {said}");
    node.configure(&format!(
        "tenants: {{acme: {{state_dir: {}}}}}\nexec: {{path: [/nowhere]}}\n",
        node.dir.path().display()
    ));
    let said = node.cli_ok(&["config", "check"]);
    assert!(
        said.contains("warning: openclaw: not found on exec.path: install it there, or add its folder (/nowhere)"),
        "{said}"
    );
    assert!(said.contains("until then unknown: doctor"), "{said}");

    node.configure("tenants: {acme: {prot: 1}}\nno_such_key: 1\n");
    let output = node.cli(&["config", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["ok"], told["problems"].as_array().unwrap().len()),
        (&false.into(), 2),
        "{told:#}"
    );
    let problem = &told["problems"][0];
    assert_eq!(
        (problem["file"].as_str(), problem["line"].as_u64()),
        (Some(file.as_str()), Some(4)),
        "{told:#}"
    );
    assert_eq!(problem["key"], "tenants.acme.prot");
    assert!(problem["message"].as_str().unwrap().contains("port"), "{told:#}");
    node.configure(QUIET);
    let node = node.started();
    assert!(node.cli_ok(&["reload"]).starts_with("reloaded: 1 tenant, "));
}

/// `readyd` by its name, and its completions where a shell finds them.
fn on_path(directory: &Path) -> String {
    let program = directory.join("readyd");
    fs::write(&program, format!("#!/bin/sh\nexec {READYD} \"$@\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for (shell, file) in [("bash", "readyd.bash"), ("zsh", "_readyd"), ("fish", "readyd.fish")] {
        let script = Command::new(READYD).args(["completions", shell]).output().unwrap();
        fs::write(directory.join(file), script.stdout).unwrap();
    }
    format!("{}:/usr/bin:/bin", directory.display())
}

/// What a shell, asked by its own means, completes `line` to.
fn completed(shell: &Path, directory: &Path, path: &str, ask: &str) -> String {
    let output = Command::new(shell)
        .args(["-c", ask])
        .current_dir(directory)
        .env("PATH", path)
        .env("HOME", directory)
        .output()
        .unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn bash_completes_commands_and_options() {
    let Some(bash) = peer("bash", &["/bin/bash"]) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = on_path(directory.path());
    for (line, expected) in [
        ("readyd st", "status"),
        ("readyd status --wa", "--watch"),
        ("readyd config ch", "check"),
        ("readyd check --format na", "nagios"),
    ] {
        // As readline asks: the words, the cursor behind the last.
        let ask = format!(
            "source readyd.bash; COMP_LINE='{line}'; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); COMP_POINT=${{#COMP_LINE}}; \
             set -- $(complete -p readyd); while [ \"$1\" != -F ]; do shift; done; \
             $2 readyd \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let said = completed(&bash, directory.path(), &path, &ask);
        assert_eq!(said.trim(), expected, "{line}");
    }
}

#[test]
fn fish_completes_commands_and_options() {
    let Some(fish) = peer("fish", &[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = on_path(directory.path());
    for (line, expected) in [
        ("readyd st", "status"),
        ("readyd status --wa", "--watch"),
        ("readyd config ch", "check"),
    ] {
        let ask = format!("source readyd.fish; complete -C '{line}'");
        let said = completed(&fish, directory.path(), &path, &ask);
        assert!(
            said.lines().any(|line| line.split('\t').next() == Some(expected)),
            "{line}: {said}"
        );
    }
}

#[test]
fn zsh_completes_commands_and_options_as_they_are_typed() {
    let Some(zsh) = peer("zsh", &[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = on_path(directory.path());
    fs::write(
        directory.path().join(".zshrc"),
        "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d $PWD/dump; unsetopt zle_bracketed_paste; PROMPT='ready> '\n",
    )
    .unwrap();
    let mut command = Command::new(zsh);
    command
        .args(["-i"])
        .current_dir(directory.path())
        .env("PATH", path)
        .env("HOME", directory.path())
        .env("ZDOTDIR", directory.path());
    let mut terminal = Terminal::sit_down(&command, 80, 24);
    terminal.until_it_shows("ready> ");
    for (typed, expected) in [
        ("readyd st\t", "ready> readyd status"),
        ("--wa\t", "ready> readyd status --watch"),
        ("\u{15}readyd config ch\t", "ready> readyd config check"),
    ] {
        terminal.press(typed);
        terminal.until_it_shows(expected);
    }
    terminal.press("\u{15}exit\r");
    terminal.ended();
}

#[test]
fn every_command_has_a_page_of_the_manual_that_a_strict_reader_takes() {
    let directory = tempfile::tempdir().unwrap();
    let written = Command::new(READYD).arg("man").arg(directory.path()).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let pages: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|page| page.unwrap().path())
        .collect();
    assert!(pages.len() > 35, "{pages:?}");
    for page in ["readyd.1", "readyd-status.1", "readyd-config-check.1"] {
        assert!(directory.path().join(page).is_file(), "{page}");
    }
    let first = fs::read_to_string(directory.path().join("readyd.1")).unwrap();
    for section in ["EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"] {
        assert!(
            first.contains(&format!(".SH \"{section}\"")) || first.contains(&format!(".SH {section}")),
            "{section}"
        );
    }
    let Some(mandoc) = peer("mandoc", &[]) else {
        return left_out("no mandoc");
    };
    for page in &pages {
        let read = Command::new(&mandoc)
            .args(["-T", "lint", "-W", "warning"])
            .arg(page)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[read.stdout, read.stderr].concat()).into_owned();
        assert!(read.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}
