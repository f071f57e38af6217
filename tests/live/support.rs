//! What every live test needs.

/// Says why a test cannot run here; an error where everything must run.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("WEIR_TEST_REQUIRE_ALL").is_none_or(|value| value != "1"),
        "WEIR_TEST_REQUIRE_ALL is set: {reason}"
    );
    println!("skipped: {reason}");
}
