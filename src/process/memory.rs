//! Giving memory back to the system after a burst.
//!
//! glibc gives a large block back when it is freed, as long as it came from the system by itself. After the first such block
//! was freed it takes blocks up to that size from its own areas instead, and keeps those: 64 publishes of 10 MiB at once
//! left 268 MiB resident behind them, and 50 MiB with the threshold held where it begins. The publishes took as long.

/// Keeps blocks of 128 KiB and more out of glibc's own areas. To be called before there are threads.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
pub fn give_back_large_blocks() {
    const THRESHOLD: libc::c_int = 128 * 1024;
    // SAFETY: it sets a number that the allocator looks at when it is asked for memory; no block is affected.
    if unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD) } != 1 {
        tracing::debug!("the allocator keeps its own threshold for large blocks");
    }
}

/// Other C libraries have no such threshold.
#[cfg(not(target_env = "gnu"))]
pub fn give_back_large_blocks() {}
