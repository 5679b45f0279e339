//! Time and rate of requests.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use kanhe_proto::api::WAIT_MAX_SECONDS;

use super::listener::Peer;
use super::problem::ApiError;
use super::serve::{ACTS_ON_CONSENTS, MAIL_ANSWERS_BYTES_MAX};
use crate::config::ApiSection;

/// How often addresses that have been quiet are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Requests refused for their rate.
pub static LIMITED: AtomicU64 = AtomicU64::new(0);

/// What one address may ask.
pub struct Limits {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    /// For acts on consents: whoever used up the other can still take a consent back.
    consents: DefaultKeyedRateLimiter<IpAddr>,
    time: Duration,
}

impl Limits {
    /// From the configuration.
    pub fn new(config: &ApiSection) -> Self {
        let at_least_one = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(config.requests_per_second));
        let quota = quota.allow_burst(at_least_one(config.requests_burst));
        Self {
            limiter: RateLimiter::keyed(quota),
            consents: RateLimiter::keyed(quota),
            time: Duration::from_secs(config.request_seconds),
        }
    }

    /// Whether an address may ask this now.
    fn let_in(&self, address: IpAddr, path: &str) -> bool {
        let limiter = if path == ACTS_ON_CONSENTS { &self.consents } else { &self.limiter };
        limiter.check_key(&of_address(address)).is_ok()
    }

    /// Forgets addresses that have been quiet, for as long as anybody holds the limits.
    pub async fn forget(limits: std::sync::Weak<Self>) {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            let Some(limits) = limits.upgrade() else { return };
            for limiter in [&limits.limiter, &limits.consents] {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
    }
}

/// Whoever has an IPv6 address has a whole /64 of them.
pub(super) fn of_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// The length that a request says its body has.
fn claimed_bytes(request: &Request) -> u64 {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok()).unwrap_or_default()
}

/// Refuses who asks too often or means to send too much, and ends what takes too long.
pub async fn limit(
    State(limits): State<Arc<Limits>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if !limits.let_in(peer.ip(), request.uri().path()) {
        LIMITED.fetch_add(1, Ordering::Relaxed);
        return ApiError::rate_limited().into_response();
    }
    if claimed_bytes(&request) > MAIL_ANSWERS_BYTES_MAX as u64 {
        return ApiError::too_large("no route takes a body as long as this").into_response();
    }
    let waits = request.uri().query().is_some_and(|query| query.contains("wait="));
    let time = if waits { limits.time + Duration::from_secs(WAIT_MAX_SECONDS) } else { limits.time };
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::timeout().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_can_be_taken_back_by_who_asked_too_much() {
        let config = ApiSection { requests_per_second: 1, requests_burst: 2, ..ApiSection::default() };
        let limits = Limits::new(&config);
        let address = IpAddr::from([10, 0, 0, 1]);
        while limits.let_in(address, "/v1/status") {}
        assert!(!limits.let_in(address, "/v1/consents/acts/"));
        assert!(limits.let_in(address, "/v1/consents/acts"));
        // That has its own bound.
        assert!((0..8).any(|_| !limits.let_in(address, "/v1/consents/acts")));
    }

    #[test]
    fn neighbours_of_a_v6_network_are_one() {
        let of = |text: &str| of_address(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
