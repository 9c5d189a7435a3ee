//! Somebody deletes the database while readyd runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::harness::{Node, PATIENCE};

#[test]
fn a_database_deleted_under_a_running_node_is_written_again_with_all_that_was_held() {
    let mut node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    let say = |node: &Node, hello_only: bool| -> Value {
        let stream = node.events();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        writeln!(writer, r#"{{"hello":{{"producer":"gw-1"}}}}"#).unwrap();
        reader.read_line(&mut line).unwrap();
        if !hello_only {
            line.clear();
            writeln!(writer, r#"{{"tenant":"acme","endpoint":"crm","status":503,"seq":7}}"#).unwrap();
            reader.read_line(&mut line).unwrap();
        }
        serde_json::from_str(&line).unwrap()
    };
    assert_eq!(say(&node, false)["ack"], 7);
    node.cli_ok(&["drain", "--reason", "moving"]);

    for name in ["readyd.sqlite", "readyd.sqlite-wal", "readyd.sqlite-shm"] {
        fs::remove_file(node.state_dir().join(name)).unwrap();
    }
    // Whatever is kept next notices it.
    node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", "crm", "--status", "503"]);
    assert_eq!(node.get("/livez").status, 200);
    assert!(node.log().contains("the database was deleted"), "{}", node.log());
    // What was held goes into the new file once what was under way is there: the first of these waits for that, and
    // the second for what was held.
    node.cli_ok(&["maintenance", "start", "acme", "--for", "1h", "--reason", "moving"]);
    node.cli_ok(&["maintenance", "end", "acme"]);

    node.kill();
    node.spawn();
    node.wait_until_it_answers();
    let ready = node.ready();
    assert_eq!(ready["phase"], "draining", "{ready:#}");
    assert_eq!(say(&node, true)["hello"]["last_seq"], 7);
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(digest["totals"]["failures"], 2, "{digest:#}");
}
