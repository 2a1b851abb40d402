use agentsh_policy::schema;
use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Print the JSON Schema of what people write, for editors
#[derive(Debug, Args)]
pub struct SchemaVerb {
    /// Of which kind of file
    #[arg(value_enum, default_value_t)]
    of: Of,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Of {
    /// A policy
    #[default]
    Policy,
    /// The configuration
    Config,
    /// A table of cases for `policy test`
    Cases,
}

impl SchemaVerb {
    pub fn run(self, _: &Context) -> Result<Exit, Error> {
        let name = match self.of {
            Of::Policy => "policy.schema.json",
            Of::Config => "config.schema.json",
            Of::Cases => "cases.schema.json",
        };
        for schema in schema::all().into_iter().filter(|schema| schema.name == name) {
            render::print(&schema.text)?;
        }
        Ok(Exit::DONE)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_of_file_has_a_schema() {
        let names: Vec<&str> = agentsh_policy::schema::all().iter().map(|schema| schema.name).collect();
        assert_eq!(names, ["policy.schema.json", "config.schema.json", "cases.schema.json"]);
    }
}
