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

impl CompiledRequest {
    fn fits(&self, method: &str, path: &str) -> bool {
        let any_method = self.methods.is_empty() || self.methods.iter().any(|known| known.eq_ignore_ascii_case(method));
        any_method && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.is_match(path.as_bytes())))
    }
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
        self.layers.iter().take(1).flat_map(Layer::services)
    }

    /// The service of this name, or of this alias.
    pub fn service(&self, name: &str) -> Option<ServiceView<'_>> {
        self.layers.first()?.service(name)
    }

    /// Judges a request to a service; one that there is not takes none.
    pub fn request(&self, service: &str, method: &str, path: &str) -> Verdict<'_> {
        match self.service(service) {
            Some(service) => service.request(method, path),
            None => Verdict::by_default(Decision::Deny, List::HttpServices, self.name()),
        }
    }
}

impl Layer {
    fn services(&self) -> impl Iterator<Item = ServiceView<'_>> {
        let view = |service| ServiceView { layer: self, service };
        self.services.iter().map(view)
    }

    pub(crate) fn service(&self, name: &str) -> Option<ServiceView<'_>> {
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
        let first = self.fitting(method, path).next();
        match first {
            Some(verdict) => verdict,
            None => {
                let decision = match self.service.model.default {
                    HttpDefault::Allow => Decision::Allow,
                    HttpDefault::Deny => Decision::Deny,
                };
                Verdict::by_default(decision, List::HttpServices, &self.layer.name)
            }
        }
    }

    /// Verdicts of all rules that match, in their order.
    pub(crate) fn matching(&self, method: &str, path: &str) -> Vec<Verdict<'p>> {
        self.fitting(method, path).collect()
    }

    fn fitting(&self, method: &str, path: &str) -> impl Iterator<Item = Verdict<'p>> {
        let (layer, rules) = (self.layer, self.service.rules.iter().enumerate());
        rules
            .filter(move |(_, rule)| rule.fits(method, path))
            .map(|(index, rule)| rule.common.verdict(List::HttpServices, layer.place(index), &layer.name))
    }
}
