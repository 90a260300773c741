//! Webhooks on the page.

use super::page::{Page, float};
use crate::hooks::Stats;

pub(super) fn write(page: &mut Page, stats: &Stats, publish_hook: bool) {
    page.counts(
        "zongzi_hooks_deliveries_total",
        "Events for hooks, by result: queued in the outbox, outbox_full where one hook had too many waiting, lost before \
         they could be written.",
        [
            ([("result", "queued")], stats.queued),
            ([("result", "outbox_full")], stats.refused),
            ([("result", "lost")], stats.lost),
        ],
    );
    page.counts(
        "zongzi_hooks_posts_total",
        "Posts to hooks, by result: taken, failed and to be tried again, given up.",
        [
            ([("result", "taken")], stats.delivered),
            ([("result", "failed")], stats.failed),
            ([("result", "given_up")], stats.dead),
        ],
    );
    page.gauges(
        "zongzi_hooks_outbox_deliveries",
        "Deliveries in the outbox: waiting for a post, or dead letters.",
        [
            ([("state", "waiting")], float(stats.waiting_now)),
            ([("state", "dead")], float(stats.dead_now)),
        ],
    );
    if publish_hook {
        page.counts(
            "zongzi_hooks_publish_decisions_total",
            "Hosts asked about by hooks.on_publish, by decision; unanswered is that the fallback decided.",
            [
                ([("decision", "allow")], stats.allowed),
                ([("decision", "deny")], stats.denied),
                ([("decision", "redirect")], stats.redirected),
                ([("decision", "unanswered")], stats.unanswered),
            ],
        );
    }
}
