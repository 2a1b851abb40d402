//! Notices that a serving thread is stuck in a call, and gives its command another.
//!
//! All threads that sleep in the receive call are woken by every notification, which costs as much as
//! the call itself: one is enough while calls are short. One thread of the process looks every
//! few milliseconds, and sleeps itself when nothing is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::io::Errno;

use super::Service;
use crate::sys::interrupt;
use crate::{kernel, slow};

/// How long a call may take unannounced before its command gets another thread: one to two times this.
const TICK: Duration = Duration::from_millis(4);

/// Ticks without a call after which the watch sleeps.
const PATIENCE: u32 = 25;

/// How often hang-ups are looked for on kernels that do not tell a receiving thread of them.
const HANG_UP: Duration = Duration::from_millis(250);

static SERVICES: Mutex<Vec<Weak<Service>>> = Mutex::new(Vec::new());
static CALLS: Condvar = Condvar::new();
static ASLEEP: AtomicBool = AtomicBool::new(false);
static WATCH: LazyLock<Result<(), Errno>> = LazyLock::new(|| {
    interrupt::prepare()?;
    let thread = std::thread::Builder::new().name("watch".into()).stack_size(128 << 10);
    thread.spawn(watch).map(|_| ()).map_err(|_| Errno::AGAIN)
});

/// Watches `service` until it ends.
///
/// # Errors
/// If the watching thread cannot be started.
pub fn add(service: &Arc<Service>) -> Result<(), Errno> {
    (*WATCH)?;
    SERVICES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Arc::downgrade(service));
    CALLS.notify_one();
    Ok(())
}

/// A call was received: the watch must look.
pub fn call_received() {
    if ASLEEP.load(Ordering::Relaxed) {
        // With the lock, so that the wake-up is not lost between the watch's last look and its sleep.
        let _services = SERVICES.lock().unwrap_or_else(PoisonError::into_inner);
        CALLS.notify_one();
    }
}

fn watch() {
    // A thread in the receive call is told of the hang-up from then on.
    let told = kernel::release() >= (6, 11);
    let mut services = SERVICES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut idle = 0;
    loop {
        let mut active = false;
        services.retain(|service| match service.upgrade() {
            Some(service) => {
                active |= service.look();
                if !told {
                    service.look_for_hang_up();
                }
                true
            }
            None => false,
        });
        slow::late();
        idle = if active { 0 } else { idle + 1 };
        if idle < PATIENCE {
            drop(services);
            std::thread::sleep(TICK);
            services = SERVICES.lock().unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        ASLEEP.store(true, Ordering::Relaxed);
        services = if told || services.is_empty() {
            CALLS.wait(services).unwrap_or_else(PoisonError::into_inner)
        } else {
            CALLS
                .wait_timeout(services, HANG_UP)
                .unwrap_or_else(PoisonError::into_inner)
                .0
        };
        ASLEEP.store(false, Ordering::Relaxed);
        idle = 0;
    }
}
