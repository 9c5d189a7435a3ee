//! YAML text into one tree whose every node knows its file and line.
//!
//! Built on the parser's events rather than on its ready-made tree: that one recurses as deeply as
//! the file does, keeps the last of two equal keys in silence, and copies aliases without a bound.
//!
//! Read here: one document of maps, lists and scalars, anchors and aliases within bounds. Not read:
//! several documents, keys that are not scalars, tags of one's own, merge keys (`<<`).

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::problem::{Place, Problem, Problems};

/// A file larger than this is not a configuration.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Maps and lists within each other.
pub const DEPTH_MAX: usize = 32;
/// Nodes of one tree, copies made by aliases included.
pub const NODES_MAX: usize = 1 << 16;
/// Bytes of text in one tree, copies made by aliases included.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub at: Place,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing written, `~` or `null`.
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// Without duplicates, in the order of the file.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    /// Written without quotes: `true` is then a boolean.
    pub plain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_at: Place,
    pub node: Node,
}

/// The tree of `bytes`; an empty file is [`Value::Null`]. `file` is the name that problems give.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Node, Problems> {
    let file: Arc<str> = file.into();
    let text = decoded(&file, bytes)?;
    let mut builder = Builder::new(Arc::clone(&file), text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((event, span)) => builder.event(event, span.start.line()),
            Err(error) => Err(builder.unreadable(&error)),
        };
        if let Err(problem) = step {
            builder.problems.push(problem);
            return Err(builder.problems);
        }
    }
    let root = builder.root.take();
    builder
        .problems
        .or(root.unwrap_or_else(|| Node::null(Place::new(&file, 1))))
}

impl Node {
    pub fn null(at: Place) -> Node {
        Node { at, value: Value::Null }
    }

    pub fn map(at: Place, entries: Vec<Entry>) -> Node {
        Node {
            at,
            value: Value::Map(entries),
        }
    }

    /// The value under `key`; `None` for other nodes than maps.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// A map's entries; none for all else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A list's items; none for all else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// `a map`, `a list`, `nothing`, `text`: what a problem says was found.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// UTF-8 within the bound, without a byte order mark; binary junk is named as such.
fn decoded<'bytes>(file: &Arc<str>, bytes: &'bytes [u8]) -> Result<&'bytes str, Problem> {
    let whole = |message: String| Problem::new(Place::new(file, 0), "", message);
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("is {} bytes long; at most {FILE_BYTES_MAX} are read", bytes.len());
        return Err(whole(message));
    }
    let line_of = |offset: usize| 1 + bytes[..offset].iter().filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.valid_up_to());
        Problem::new(Place::new(file, line), "", "not UTF-8 text: is this a YAML file?")
    })?;
    let control = text
        .bytes()
        .position(|byte| byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t') || byte == 0x7f);
    if let Some(offset) = control {
        let message = format!("control character 0x{:02x}: is this a YAML file?", bytes[offset]);
        return Err(Problem::new(Place::new(file, line_of(offset)), "", message));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Folds events into a tree with a stack of its own.
struct Builder<'text> {
    file: Arc<str>,
    text: &'text str,
    open: Vec<Open>,
    /// Finished anchored nodes by the parser's anchor id.
    anchored: HashMap<usize, Anchored>,
    nodes: usize,
    text_bytes: usize,
    root: Option<Node>,
    problems: Problems,
}

/// A map or list that has not ended yet.
struct Open {
    at: Place,
    /// 0: none.
    anchor: usize,
    within: Within,
    /// The deepest level below it so far.
    height: usize,
    /// Counters when it began: what it holds is what they grew by.
    nodes_before: usize,
    text_bytes_before: usize,
}

enum Within {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        lines: HashMap<String, usize>,
        key: Option<(String, Place)>,
    },
}

struct Anchored {
    node: Node,
    height: usize,
    nodes: usize,
    text_bytes: usize,
}

impl<'text> Builder<'text> {
    fn new(file: Arc<str>, text: &'text str) -> Builder<'text> {
        Builder {
            file,
            text,
            open: Vec::new(),
            anchored: HashMap::new(),
            nodes: 0,
            text_bytes: 0,
            root: None,
            problems: Problems::default(),
        }
    }

    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Problem> {
        let at = Place::new(&self.file, line);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.problem(at, "a second document (`---`) begins here; one file holds one"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => {
                self.known_tag(tag.as_deref(), &at)?;
                self.begin(Within::List(Vec::new()), anchor, at)
            }
            Event::MappingStart(anchor, tag) => {
                self.known_tag(tag.as_deref(), &at)?;
                let (entries, lines, key) = (Vec::new(), HashMap::new(), None);
                self.begin(Within::Map { entries, lines, key }, anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(anchor) => self.alias(anchor, at),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Place,
    ) -> Result<(), Problem> {
        self.known_tag(tag, &at)?;
        let tagged_text = tag.is_some_and(|tag| tag.suffix == "str");
        let plain = style == ScalarStyle::Plain && !tagged_text;
        let null = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        let value = match null {
            true => Value::Null,
            false => Value::Scalar(Scalar {
                text: text.to_owned(),
                plain,
            }),
        };
        self.spend(1, text.len(), &at)?;
        let node = Node { at, value };
        self.remember(anchor, &node, 0, 1, text.len())?;
        self.place(node)
    }

    fn begin(&mut self, within: Within, anchor: usize, at: Place) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.problem(at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        if let Some(Open {
            within: Within::Map { key: None, .. },
            ..
        }) = self.open.last()
        {
            return Err(self.problem(at, "a key must be a single value, not a map or a list"));
        }
        self.spend(1, 0, &at)?;
        self.open.push(Open {
            at,
            anchor,
            within,
            height: 0,
            nodes_before: self.nodes - 1,
            text_bytes_before: self.text_bytes,
        });
        Ok(())
    }

    fn end(&mut self, at: Place) -> Result<(), Problem> {
        let Some(ended) = self.open.pop() else {
            return Err(self.problem(at, "ends what did not begin"));
        };
        let value = match ended.within {
            Within::List(items) => Value::List(items),
            Within::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { at: ended.at, value };
        let height = ended.height + 1;
        self.grown(height);
        let (nodes, bytes) = (
            self.nodes - ended.nodes_before,
            self.text_bytes - ended.text_bytes_before,
        );
        self.remember(ended.anchor, &node, height, nodes, bytes)?;
        self.place(node)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Problem> {
        let Some(known) = self.anchored.get(&anchor) else {
            return Err(self.problem(at, "an alias within its own anchor"));
        };
        let (height, nodes, bytes) = (known.height, known.nodes, known.text_bytes);
        if self.open.len() + height > DEPTH_MAX {
            return Err(self.problem(at, format!("nested deeper than {DEPTH_MAX} levels by an alias")));
        }
        // Spent before it is copied: an alias bomb costs nothing.
        self.spend(nodes, bytes, &at)?;
        self.grown(height);
        match self.anchored.get(&anchor).map(|known| known.node.clone()) {
            Some(node) => self.place(node),
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs: as a key, below its key, into the list, or as the root.
    fn place(&mut self, node: Node) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.within {
            Within::List(items) => items.push(node),
            Within::Map { entries, lines, key } => match key.take() {
                None => {
                    let name = match &node.value {
                        Value::Scalar(scalar) => scalar.text.clone(),
                        Value::Null => "null".to_owned(),
                        Value::List(_) | Value::Map(_) => {
                            return Err(self.problem(node.at, "a key must be a single value, not a map or a list"));
                        }
                    };
                    *key = Some((name, node.at));
                }
                Some((name, key_at)) => match lines.get(&name) {
                    Some(first) => {
                        let message = format!("is set twice: here and on line {first}; keep one");
                        self.problems.add(&key_at, &name, message);
                    }
                    None => {
                        lines.insert(name.clone(), key_at.line);
                        entries.push(Entry {
                            key: name,
                            key_at,
                            node,
                        });
                    }
                },
            },
        }
        Ok(())
    }

    fn remember(
        &mut self,
        anchor: usize,
        node: &Node,
        height: usize,
        nodes: usize,
        bytes: usize,
    ) -> Result<(), Problem> {
        if anchor == 0 {
            return Ok(());
        }
        // The remembered copy takes memory as well: anchors within anchors would multiply it.
        self.spend(nodes, bytes, &node.at)?;
        let node = node.clone();
        let known = Anchored {
            node,
            height,
            nodes,
            text_bytes: bytes,
        };
        self.anchored.insert(anchor, known);
        Ok(())
    }

    fn grown(&mut self, height: usize) {
        if let Some(open) = self.open.last_mut() {
            open.height = open.height.max(height);
        }
    }

    fn spend(&mut self, nodes: usize, text_bytes: usize, at: &Place) -> Result<(), Problem> {
        self.nodes += nodes;
        self.text_bytes += text_bytes;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values, copies made by aliases included");
            return Err(self.problem(at.clone(), message));
        }
        if self.text_bytes > TEXT_BYTES_MAX {
            let message = format!("more than {TEXT_BYTES_MAX} bytes of text, copies made by aliases included");
            return Err(self.problem(at.clone(), message));
        }
        Ok(())
    }

    /// YAML's own tags say nothing new here; others ask for types that do not exist here.
    fn known_tag(&self, tag: Option<&Tag>, at: &Place) -> Result<(), Problem> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Err(self.problem(at.clone(), format!("the tag {tag} is not known here; leave it out")))
            }
            _ => Ok(()),
        }
    }

    fn unreadable(&self, error: &ScanError) -> Problem {
        let line = error.marker().line().max(1);
        let starts_with_tab = |line: &usize| {
            let written = line.checked_sub(1).and_then(|index| self.text.lines().nth(index));
            written.is_some_and(|text| text.trim_start_matches(' ').starts_with('\t'))
        };
        // The scanner may notice a line too early or too late.
        let near = if error.info().contains("tab") { line + 1 } else { line };
        let tab = [line, line - 1, near].into_iter().find(starts_with_tab);
        match tab {
            Some(line) => self.problem(
                Place::new(&self.file, line),
                "a tab indents this line; YAML wants spaces there",
            ),
            None => self.problem(Place::new(&self.file, line), format!("not YAML: {}", error.info())),
        }
    }

    fn problem(&self, at: Place, message: impl AsRef<str>) -> Problem {
        Problem::new(at, "", message)
    }
}

#[cfg(test)]
mod tests;
