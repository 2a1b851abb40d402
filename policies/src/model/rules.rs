//! Rules on files, commands, connections and unix sockets.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::content::Content;
use crate::place::At;
use crate::quantity::{Size, Time};
use crate::words::{Decision, Errno, FileOp, NetOp, Protocol, UnixOp, words};

words! {
    /// An operation of `file_rules`, or all of them.
    FileOpWord {
        Read = "read", Open = "open", Stat = "stat", List = "list", Readlink = "readlink", Access = "access",
        Write = "write", Create = "create", Delete = "delete", Rmdir = "rmdir", Mkdir = "mkdir",
        Rename = "rename", Link = "link", Symlink = "symlink", Chmod = "chmod", Chown = "chown",
        Mknod = "mknod", Truncate = "truncate", Xattr = "xattr", Utime = "utime", All = "*",
    }
}

impl FileOpWord {
    /// The operations that a rule covers which names this word.
    pub fn mask(self) -> u32 {
        FileOp::parse(self.word()).map_or(crate::words::ALL_FILE_OPS, FileOp::named)
    }
}

words! {
    /// An operation of `unix_socket_rules`, or all of them.
    UnixOpWord { Connect = "connect", Bind = "bind", Listen = "listen", SendTo = "sendto", All = "*" }
}

impl UnixOpWord {
    /// Whether the word covers the operation.
    pub fn covers(self, op: UnixOp) -> bool {
        self == UnixOpWord::All || self.word() == op.word()
    }
}

/// A rule on files. The first that matches path and operation wins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub decision: At<Decision>,
    /// Template: `{{.Path}} {{.Command}} {{.Args}} {{.Host}} {{.Operation}}`.
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
    /// Globs on resolved paths.
    pub paths: Vec<At<String>>,
    /// None given: all.
    #[serde(default)]
    pub operations: Vec<At<FileOpWord>>,
    /// The folder that stands in.
    #[serde(default)]
    pub redirect_to: Option<At<String>>,
    /// Whether folders above the file are kept below `redirect_to`.
    #[serde(default)]
    pub preserve_tree: bool,
    /// How a denial looks; EACCES if not given.
    #[serde(default)]
    pub errno: Option<Errno>,
    /// The rule holds for this content only. A new version is judged when it takes the old one's place: at a rename, or
    /// when the last writer has closed what was written in place. Times and attributes are no content.
    #[serde(default)]
    pub content: Option<Content>,
}

/// A rule on programs that are started.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRule {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub decision: At<Decision>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
    /// Base names, globs on base names, full paths, globs on paths.
    pub commands: Vec<At<String>>,
    /// Regular expressions on the arguments joined by spaces; any may match.
    #[serde(default)]
    pub args_patterns: Vec<At<String>>,
    #[serde(default)]
    pub redirect_to: Option<At<CommandRedirect>>,
    #[serde(default)]
    pub context: Context,
    #[serde(default)]
    pub env_allow: Vec<At<String>>,
    #[serde(default)]
    pub env_deny: Vec<At<String>>,
    #[serde(default)]
    pub env_max_bytes: Option<Size>,
    #[serde(default)]
    pub env_max_keys: Option<u32>,
    #[serde(default)]
    pub env_block_iteration: Option<bool>,
}

/// What runs instead.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRedirect {
    pub command: String,
    /// Stand before the original arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Stand behind the original arguments.
    #[serde(default)]
    pub args_append: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// How deep below the session's command a program may be for a rule to count: 0 is the command itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub min_depth: u32,
    pub max_depth: u32,
}

impl Default for Context {
    fn default() -> Context {
        Context {
            min_depth: 0,
            max_depth: u32::MAX,
        }
    }
}

impl Context {
    /// Whether the rule counts at every depth.
    pub fn is_any(self) -> bool {
        self == Context::default()
    }
    pub fn contains(self, depth: u32) -> bool {
        (self.min_depth..=self.max_depth).contains(&depth)
    }
}

struct ContextVisitor;

impl<'de> Visitor<'de> for ContextVisitor {
    type Value = Context;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("`[direct]`, `[nested]` or `{min_depth: …, max_depth: …}`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Context, A::Error> {
        let (mut direct, mut nested) = (false, false);
        while let Some(word) = seq.next_element::<String>()? {
            match word.as_str() {
                "direct" => direct = true,
                "nested" => nested = true,
                other => return Err(A::Error::unknown_variant(other, &["direct", "nested"])),
            }
        }
        match (direct, nested) {
            (false, false) => Err(A::Error::invalid_length(0, &self)),
            (direct, nested) => Ok(Context {
                min_depth: u32::from(!direct),
                max_depth: if nested { u32::MAX } else { 0 },
            }),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
        let mut context = Context::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "min_depth" => context.min_depth = map.next_value()?,
                "max_depth" => context.max_depth = map.next_value()?,
                other => {
                    let error = A::Error::unknown_field(other, &["min_depth", "max_depth"]);
                    map.next_value::<IgnoredAny>()?;
                    return Err(error);
                }
            }
        }
        if context.min_depth > context.max_depth {
            return Err(A::Error::custom(
                "`min_depth` is above `max_depth`: the rule would never count",
            ));
        }
        Ok(context)
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Context, D::Error> {
        deserializer.deserialize_any(ContextVisitor)
    }
}

impl JsonSchema for Context {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Context".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let depth = serde_json::json!({"type": "integer", "minimum": 0});
        schemars::json_schema!({"oneOf": [
            {"type": "array", "minItems": 1, "items": {"enum": ["direct", "nested"]}},
            {"type": "object", "additionalProperties": false, "properties": {"min_depth": depth, "max_depth": depth}},
        ]})
    }
}

/// A rule on Internet sockets: all selectors that are given must match.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkRule {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub decision: At<Decision>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
    /// Globs on host names; `*` stops at a dot.
    #[serde(default)]
    pub domains: Vec<At<String>>,
    #[serde(default)]
    pub ports: Vec<At<u16>>,
    /// Address ranges, `10.0.0.0/8` or a single address.
    #[serde(default)]
    pub cidrs: Vec<At<String>>,
    #[serde(default)]
    pub protocol: Option<Protocol>,
    #[serde(default)]
    pub operations: Vec<NetOp>,
    /// Of one connection, both directions.
    #[serde(default)]
    pub max_bytes: Option<Size>,
    /// Connections that this rule lets through in a minute.
    #[serde(default)]
    pub max_per_minute: Option<u32>,
}

/// A rule on unix sockets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnixSocketRule {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    pub decision: At<Decision>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
    /// Globs on paths; `@name` is the abstract namespace.
    pub paths: Vec<At<String>>,
    #[serde(default)]
    pub operations: Vec<UnixOpWord>,
}
