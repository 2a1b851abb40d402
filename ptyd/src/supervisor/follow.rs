//! The policy of a running session follows its files.

use std::time::Duration;

use tokio::time::Instant;

use super::reload;
use super::session::Session;
use super::watch::PolicyWatch;

/// What was changed before the watch stood is looked for so much later: the first command waits for nothing.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// A file that is being written, or two that are exchanged one by one, are right again this soon.
const GRACE: Duration = Duration::from_millis(100);

/// How often is looked where no watch tells, and first at what could not be taken: it may be good for other reasons.
const AGAIN: Duration = Duration::from_secs(5);

/// How often at most is looked less and less: to find that a policy cannot be held here takes a probe of the host.
const RARELY: Duration = Duration::from_secs(80);

/// A session's policy and what it is read from.
pub(super) struct Followed {
    watch: Option<PolicyWatch>,
    /// When to look next, whatever the watch tells.
    next: Option<Instant>,
    /// Since when the files could not be taken.
    failing: Option<Instant>,
    /// How long it may stay so before they are looked at again.
    pause: Duration,
}

impl Followed {
    /// The policy of a session that was made a moment ago.
    pub(super) fn new(session: &Session) -> Followed {
        let soon = session
            .choice
            .is_of_other_mounts(&session.account, &session.rules().policy);
        Followed {
            watch: watch(session, true),
            next: Some(Instant::now() + if soon { Duration::ZERO } else { FIRST_LOOK }),
            failing: None,
            pause: AGAIN,
        }
    }

    /// Waits until it may be another; may be given up at any time.
    pub(super) async fn changed(&self) {
        let told = async {
            match &self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match self.next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            told = told => if let Err(error) = told {
                tracing::error!("watching the policy: {error}");
                tokio::time::sleep(AGAIN).await;
            },
            () = time => {}
        }
    }

    /// Looks at the files and puts in force what they say.
    pub(super) fn take(&mut self, session: &Session) {
        // Before the files are read, so that no later change is missed.
        self.watch = watch(session, self.watch.is_some());
        let now = Instant::now();
        let sees_all = self.watch.as_ref().is_some_and(PolicyWatch::sees_all);
        self.next = (!sees_all).then(|| now + AGAIN);
        let Err(problem) = reload::follow(session) else {
            (self.failing, self.pause) = (None, AGAIN);
            return;
        };
        let bearable = *self.failing.get_or_insert(now) + GRACE;
        if now < bearable {
            self.next = Some(bearable);
            return;
        }
        reload::tell_refused(session, &problem);
        self.next = Some(now + self.pause);
        self.pause = RARELY.min(self.pause * 2);
    }
}

/// `is_news`: whether it has to be told that there is none.
fn watch(session: &Session, is_news: bool) -> Option<PolicyWatch> {
    let files = session.choice.files(&session.account, &session.config);
    PolicyWatch::new(&files)
        .inspect_err(|error| {
            if is_news {
                tracing::error!("changes of the policy are noticed late: {error}");
            }
        })
        .ok()
}
