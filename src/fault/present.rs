//! Fail points in a build that has them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Action, ArmError, Armed, Fault, parse};

/// The file that arms a point while the process runs.
static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
static ANY: AtomicBool = AtomicBool::new(false);
static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

/// Arms fail points for the life of the process, and disarms all others.
pub fn arm(text: &str) -> Result<(), ArmError> {
    let file = text.strip_prefix('@').map(PathBuf::from);
    let armed = if file.is_some() { Vec::new() } else { parse(text)? };
    ANY.store(!armed.is_empty() || file.is_some(), Ordering::Release);
    *FILE.lock() = file;
    *ARMED.lock() = armed;
    Ok(())
}

/// Passes the fail point `name`.
///
/// # Errors
///
/// [`Fault`] if it is armed with `error`.
#[inline]
pub fn point(name: &'static str) -> Result<(), Fault> {
    if ANY.load(Ordering::Acquire) { pass(name) } else { Ok(()) }
}

/// Passes the fail point after a pause, on a thread of its own: for points after the last code, such as after an
/// answer.
pub fn point_after(pause: Duration, name: &'static str) {
    if ANY.load(Ordering::Acquire) {
        std::thread::spawn(move || {
            std::thread::sleep(pause);
            pass(name)
        });
    }
}

fn pass(name: &'static str) -> Result<(), Fault> {
    match fires(name).or_else(|| fires_by_file(name)) {
        None => Ok(()),
        Some(action) => {
            eprintln!("fail point {name}: {action:?}");
            match action {
                #[expect(clippy::disallowed_methods, reason = "this is the fail point that kills the process")]
                Action::Abort => std::process::abort(),
                Action::Error => Err(Fault(name)),
                Action::Panic => panic!("the fail point {name} was armed"),
                Action::Stall(duration) => {
                    std::thread::sleep(duration);
                    eprintln!("fail point {name}: continues");
                    Ok(())
                }
            }
        }
    }
}

fn fires(name: &str) -> Option<Action> {
    let mut armed = ARMED.lock();
    let one = armed.iter_mut().find(|one| one.name == name && one.remaining > 0)?;
    one.remaining -= 1;
    (one.remaining == 0).then_some(one.action)
}

/// If several threads pass at once, the one that removes the file acts.
fn fires_by_file(name: &str) -> Option<Action> {
    let file = FILE.lock().clone()?;
    let armed = parse(&std::fs::read_to_string(&file).ok()?).ok()?.pop()?;
    (armed.name == name && std::fs::remove_file(file).is_ok()).then_some(armed.action)
}
