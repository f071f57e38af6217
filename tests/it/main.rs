//! Tests.

mod http;
