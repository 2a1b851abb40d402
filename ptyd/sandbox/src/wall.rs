//! Whether a session has a wall in the kernel around its commands (`network.engine`). Said in one place, for the
//! supervisor that raises it and for those who tell what a policy comes to on this host.

use agentsh_policy::Policy;
use agentsh_policy::model::{NetworkEngine, NetworkNamespace};

use crate::probe::Finding;

/// The wall of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wall {
    #[default]
    None,
    /// Policy leaves it to the host, which can have it: around every command that it can be around.
    Had,
    /// Policy asks for it: no command without.
    Required,
}

impl Wall {
    /// The one that a policy gets on a host that `can` have it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(policy: &Policy, can: &Finding) -> Result<Wall, String> {
        let asked = policy.settings().map(|settings| &settings.file.network);
        let asked = asked
            .map(|network| (network.engine, network.namespace))
            .unwrap_or_default();
        match asked {
            (NetworkEngine::Ebpf, _) => Ok(Wall::Required),
            (NetworkEngine::Notify, _) => Err("not used: network.engine is notify".to_owned()),
            // Its relay knows what was judged, and nothing leaves by another way.
            (NetworkEngine::Auto, NetworkNamespace::Private) => {
                Err("not used: the session has a network of its own".to_owned())
            }
            (NetworkEngine::Auto, NetworkNamespace::Host) => Wall::of_host(can),
        }
    }

    /// What `auto` comes to.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of_host(can: &Finding) -> Result<Wall, String> {
        match can {
            Finding::Works(_) => Ok(Wall::Had),
            Finding::Missing(why) => Err(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use agentsh_policy::{LoadError, Variables};

    use super::*;

    #[test]
    fn what_policy_leaves_to_the_host_is_had_where_it_can_be() -> Result<(), LoadError> {
        let (can, cannot) = (Finding::Works("there".into()), Finding::Missing("not there".into()));
        for (network, wanted) in [
            ("", Ok(Wall::Had)),
            ("network: {engine: auto}", Ok(Wall::Had)),
            ("network: {engine: ebpf}", Ok(Wall::Required)),
            ("network: {engine: ebpf, namespace: private}", Ok(Wall::Required)),
            ("network: {engine: notify}", Err("network.engine is notify")),
            ("network: {namespace: private}", Err("a network of its own")),
        ] {
            let text = format!("version: 1\nname: t\n{network}\n");
            let policy = agentsh_policy::parse(&text, std::path::Path::new("t.yaml"))?.resolve(&Variables::default())?;
            let found = Wall::of(&policy, &can);
            match (&found, wanted) {
                (Err(why), Err(part)) => assert!(why.contains(part), "{network}: {why}"),
                (found, wanted) => assert_eq!(found.clone().ok(), wanted.ok(), "{network}"),
            }
            if found == Ok(Wall::Had) {
                assert_eq!(Wall::of(&policy, &cannot), Err("not there".to_owned()), "{network}");
            }
        }
        Ok(())
    }
}
