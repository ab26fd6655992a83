//! The allocator's threshold for large blocks, set so that memory returns to the system after a burst.
//!
//! glibc maps large blocks separately and unmaps them when they are freed. By default it raises the threshold after the
//! first such block, takes later ones from its heap, and keeps them: 64 publishes of 10 MiB at once left 268 MiB resident,
//! and 50 MiB with a fixed threshold. The publishes took as long.

/// Fixes the threshold at 128 KiB. Called before any thread is started.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "sets a number in the C allocator")]
pub fn give_back_large_blocks() {
    const THRESHOLD: libc::c_int = 128 * 1024;
    // SAFETY: sets a number that later allocations read; no existing block is affected.
    if unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD) } != 1 {
        tracing::debug!("cannot set the allocator's threshold for large blocks");
    }
}

/// Other C libraries have no such threshold.
#[cfg(not(target_env = "gnu"))]
pub fn give_back_large_blocks() {}
