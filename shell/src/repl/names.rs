/// Names that mean something to the shell at present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Folders of programs.
    pub path: String,
    pub variables: Vec<String>,
    /// Builtins, functions, aliases and keywords.
    pub commands: Vec<String>,
}

impl Names {
    /// Of lists with a name on each line.
    pub fn new(path: &str, variables: &str, commands: &str) -> Names {
        let list = |text: &str| {
            let names = text.lines().filter(|name| !name.is_empty());
            names
                .filter(|name| !name.starts_with(super::dialect::FUNCTION))
                .map(str::to_owned)
                .collect()
        };
        Names {
            path: path.to_owned(),
            variables: list(variables),
            commands: list(commands),
        }
    }
}
