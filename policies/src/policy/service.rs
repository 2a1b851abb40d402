//! HTTP services: requests judged by method and path.

use super::compile::{Common, Compiler};
use super::{Layer, Policy, Verdict};
use crate::error::LoadError;
use crate::glob::Glob;
use crate::model::{HttpDefault, HttpService};
use crate::words::{Decision, List};

#[derive(Debug)]
pub(crate) struct CompiledService {
    pub model: HttpService,
    rules: Vec<CompiledRequest>,
}

#[derive(Debug)]
struct CompiledRequest {
    common: Common,
    methods: Vec<String>,
    paths: Vec<Glob>,
}

impl CompiledService {
    pub fn compile(compiler: Compiler<'_>, service: &HttpService) -> Result<CompiledService, LoadError> {
        let mut rules = Vec::new();
        for rule in &service.rules {
            let mut paths = Vec::new();
            for path in &rule.paths {
                paths.extend(compiler.name_glob(path, b'/')?);
            }
            rules.push(CompiledRequest {
                common: Common::new(&rule.name, rule.decision.value, rule.message.as_ref(), rule.timeout),
                methods: rule.methods.iter().map(|method| method.to_ascii_uppercase()).collect(),
                paths,
            });
        }
        Ok(CompiledService {
            model: service.clone(),
            rules,
        })
    }
}

/// A service with the requests that it takes.
#[derive(Debug, Clone, Copy)]
pub struct ServiceView<'p> {
    layer: &'p Layer,
    service: &'p CompiledService,
}

impl Policy {
    /// The services; only the user's own policy has any.
    pub fn services(&self) -> impl Iterator<Item = ServiceView<'_>> {
        let layers = self.layers.iter().take(1);
        layers.flat_map(|layer| layer.services.iter().map(move |service| ServiceView { layer, service }))
    }

    /// The service of this name, or of this alias.
    pub fn service(&self, name: &str) -> Option<ServiceView<'_>> {
        self.services().find(|view| {
            let model = view.model();
            model.name.value == name || model.aliases.iter().any(|alias| alias.value == name)
        })
    }
}

impl<'p> ServiceView<'p> {
    /// What the file says about the service.
    pub fn model(&self) -> &'p HttpService {
        &self.service.model
    }

    /// Whether a person may have to be asked about some request.
    pub fn asks(&self) -> bool {
        self.service
            .rules
            .iter()
            .any(|rule| rule.common.decision == Decision::Approve)
    }

    /// Judges a request by its method and its path without query, percent-decoded and without dot parts.
    pub fn request(&self, method: &str, path: &str) -> Verdict<'p> {
        let found = self.service.rules.iter().enumerate().find(|(_, rule)| {
            let any_method =
                rule.methods.is_empty() || rule.methods.iter().any(|known| known.eq_ignore_ascii_case(method));
            any_method && (rule.paths.is_empty() || rule.paths.iter().any(|glob| glob.is_match(path.as_bytes())))
        });
        match found {
            Some((index, rule)) => rule
                .common
                .verdict(List::HttpServices, self.layer.place(index), &self.layer.name),
            None => {
                let decision = match self.service.model.default {
                    HttpDefault::Allow => Decision::Allow,
                    HttpDefault::Deny => Decision::Deny,
                };
                Verdict::by_default(decision, List::HttpServices, &self.layer.name)
            }
        }
    }
}
