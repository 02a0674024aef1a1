#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sigbridge_fuzz::entries::bodies(data));
