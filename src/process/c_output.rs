//! What C libraries write to their standard error goes to the log.
//!
//! libpq prints what the server sends outside of an answer, such as `FATAL: terminating connection`, and so do its
//! warnings about password files. Diesel turns that off for a connection, but only after its first two statements; it has
//! no way to do so earlier. Between the lines of a log, and in a terminal, such a text looks like one of this program's.
//!
//! Their `stderr` is a variable of the C library, which this module sets to a stream of its own. File descriptor 2 is
//! unchanged: the log, panics and the messages of a process that is aborted use it without that variable.

use std::ffi::{c_char, c_int, c_void};

use parking_lot::Mutex;

use crate::package::characters::Plain;

/// A line that is not complete, at most this many bytes of it.
static UNFINISHED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const LONGEST: usize = 8 * 1024;

/// The functions of a stream (fopencookie(3)).
#[repr(C)]
struct StreamFunctions {
    read: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> isize>,
    write: Option<unsafe extern "C" fn(*mut c_void, *const c_char, usize) -> isize>,
    seek: Option<unsafe extern "C" fn(*mut c_void, *mut i64, c_int) -> c_int>,
    close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "declares functions of the C library that the crate `libc` lacks")]
unsafe extern "C" {
    fn fopencookie(cookie: *mut c_void, mode: *const c_char, functions: StreamFunctions) -> *mut libc::FILE;
    static mut stderr: *mut libc::FILE;
}

/// Sends what C libraries print from now on to the log. Called once, before any of them is used.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "sets a variable of the C library")]
pub fn log_what_libraries_print() {
    let functions = StreamFunctions { read: None, write: Some(write), seek: None, close: None };
    // SAFETY: the mode is a C string, and the stream is never closed. No other thread uses `stderr` yet, and glibc documents
    // that a program may set it.
    unsafe {
        let stream = fopencookie(std::ptr::null_mut(), c"w".as_ptr(), functions);
        if !stream.is_null() {
            libc::setvbuf(stream, std::ptr::null_mut(), libc::_IOLBF, 0);
            stderr = stream;
        }
    }
}

/// Other C libraries do not let a program set `stderr`.
#[cfg(not(target_env = "gnu"))]
pub fn log_what_libraries_print() {}

/// The function that the C library calls with what is written to the stream.
#[expect(unsafe_code, reason = "reads the bytes that the C library passes")]
unsafe extern "C" fn write(_: *mut c_void, bytes: *const c_char, length: usize) -> isize {
    // SAFETY: the C library passes a buffer of this length, which lives until this function returns.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    for line in complete(&mut UNFINISHED.lock(), bytes) {
        tracing::info!("written by a library: {}", Plain(&line));
    }
    length.cast_signed()
}

/// Adds bytes to an unfinished line, and gives the lines that are complete.
fn complete(unfinished: &mut Vec<u8>, bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
        unfinished.extend_from_slice(piece);
        if piece.ends_with(b"\n") || unfinished.len() > LONGEST {
            let line = String::from_utf8_lossy(unfinished).trim().to_owned();
            lines.extend((!line.is_empty()).then_some(line));
            unfinished.clear();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_complete_whatever_pieces_they_come_in() {
        let text = b"FATAL:  gone\n\nDETAIL:  \xff\n";
        for size in 1..=text.len() {
            let mut unfinished = Vec::new();
            let lines: Vec<String> = text.chunks(size).flat_map(|piece| complete(&mut unfinished, piece)).collect();
            assert_eq!(lines, ["FATAL:  gone", "DETAIL:  \u{fffd}"], "{size}");
            assert!(unfinished.is_empty());
        }
        let mut unfinished = Vec::new();
        assert_eq!(complete(&mut unfinished, &[b'x'; LONGEST + 1]).len(), 1);
        assert_eq!((complete(&mut unfinished, b"rest").len(), unfinished.len()), (0, 4));
    }
}
