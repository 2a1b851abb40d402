//! JSON Schema (2020-12) of what people write. The files under `schema/` are made by this and committed.

use crate::cases::Table;
use crate::config::Config;
use crate::model::PolicyFile;

/// A schema with the name of its file.
#[derive(Debug, Clone)]
pub struct SchemaFile {
    pub name: &'static str,
    /// Pretty-printed JSON with a newline at its end.
    pub text: String,
}

/// All schemas.
pub fn all() -> Vec<SchemaFile> {
    vec![
        SchemaFile {
            name: "policy.schema.json",
            text: text(&schemars::schema_for!(PolicyFile)),
        },
        SchemaFile {
            name: "config.schema.json",
            text: text(&schemars::schema_for!(Config)),
        },
        SchemaFile {
            name: "cases.schema.json",
            text: text(&schemars::schema_for!(Table)),
        },
    ]
}

fn text(schema: &schemars::Schema) -> String {
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `UPDATE_SCHEMA=1` in the environment the test writes the files anew.
    #[test]
    fn the_committed_schema_files_are_current() -> std::io::Result<()> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        for schema in all() {
            let path = folder.join(schema.name);
            if std::env::var_os("UPDATE_SCHEMA").is_some() {
                std::fs::create_dir_all(&folder)?;
                std::fs::write(&path, &schema.text)?;
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == schema.text,
                "{} is stale: run the test with UPDATE_SCHEMA=1",
                path.display()
            );
        }
        Ok(())
    }

    #[test]
    fn the_schema_of_a_policy_is_strict_and_knows_the_decisions() {
        let schema = schemars::schema_for!(PolicyFile).to_value();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["version", "name"]));
        let decisions = schema["$defs"]["Decision"].to_string();
        assert!(
            decisions.contains("soft_delete") && decisions.contains("absorb"),
            "{decisions}"
        );
    }
}
