#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    supercargo_fuzz::git_request::run(data);
});
