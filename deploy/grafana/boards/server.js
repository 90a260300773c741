import { board, graph, number, of, quantile, rate, rateBy, sum } from "./board.js";

const each = (/** @type {string} */ name) => `rate(${of(name)}[$__rate_interval])`;

export const server = board(
  "zongzi-server",
  "Zongzi: server internals",
  "For whoever looks for the cause: shards, sockets, joins step by step, renditions, store, process.",
  [
    [
      "Shards",
      [
        graph("Busy", "How much of its time each shard works. At 100 % it can't keep up.", "percentunit", { "{{instance}} {{shard}}": each("zongzi_relay_shard_busy_seconds_total") }),
        graph("Viewers", "Viewers of each shard.", "short", { "{{instance}} {{shard}}": of("zongzi_relay_shard_viewers") }),
        graph("Room", "What each shard could carry, by how much of its time it takes to serve those who watch: past it newcomers are told 503. 0: so much time is left that nobody can tell.", "Bps", {
          "{{instance}} {{shard}}": of("zongzi_relay_shard_capacity_bytes_per_second"),
        }),
        graph("Turns", "How long a shard's turns take; live media is first in each.", "s", {
          half: quantile(0.5, "zongzi_relay_turn_seconds"),
          "99 of 100": quantile(0.99, "zongzi_relay_turn_seconds"),
        }),
        graph("Delay", "From when a live picture was whole in the server until it was handed to the kernel for a shard's last viewer.", "s", {
          half: quantile(0.5, "zongzi_relay_delay_seconds"),
          "95 of 100": quantile(0.95, "zongzi_relay_delay_seconds"),
          "99 of 100": quantile(0.99, "zongzi_relay_delay_seconds"),
        }),
        graph("Too much to do", "Batches that came to a full queue or too late, and gaps seen; all of it heals, none of it should be.", "short", {
          "queue full": rate("zongzi_relay_queue_dropped_batches_total"),
          late: rate("zongzi_relay_late_batches_total"),
          gaps: rate("zongzi_relay_batch_gaps_total"),
        }),
        graph("Datagrams not used", "Datagrams received that were nobody's, or found a queue full; and caught panics, which are bugs.", "short", {
          "{{reason}}": rateBy("reason", "zongzi_relay_dropped_datagrams_total"),
          panics: rate("zongzi_relay_panics_total"),
        }),
      ],
    ],
    [
      "Joins",
      [
        graph("Steps, 95 of 100", "ice: until the first valid check; dtls: until the keys stand; media: until the first packet.", "s", {
          "{{step}}": quantile(0.95, "zongzi_relay_join_step_seconds", "step"),
        }),
        graph("Handshakes", "DTLS handshakes done, sessions that failed at one, datagrams that wait.", "short", {
          "done a second": rate("zongzi_relay_join_step_seconds_count", 'step="dtls"'),
          "failed a second": rate("zongzi_relay_sessions_closed_total", 'reason="handshake"'),
          waiting: sum("zongzi_relay_handshakes_waiting"),
        }),
        graph("Keyframes", "Keyframes asked for, and newest groups sent again for that.", "short", {
          "asked for": rate("zongzi_relay_keyframe_requests_total"),
          "sent again": rate("zongzi_relay_replayed_groups_total"),
        }),
      ],
    ],
    [
      "The media port",
      [
        graph("Datagrams", "Datagrams sent and received.", "pps", {
          sent: rate("zongzi_transport_sent_datagrams_total"),
          received: rate("zongzi_transport_received_datagrams_total"),
        }),
        graph("Datagrams a message, messages a call", "How much goes to the kernel at once: the more the cheaper.", "short", {
          "datagrams a message": `${rate("zongzi_transport_sent_datagrams_total")} / ${rate("zongzi_transport_sent_messages_total")}`,
          "messages a call": `${rate("zongzi_transport_sent_messages_total")} / ${rate("zongzi_transport_send_calls_total")}`,
        }),
        graph("At its end", "Waits for the send buffer, datagrams given up, messages that the kernel did not segment, datagrams too long.", "short", {
          waits: rate("zongzi_transport_send_waits_total"),
          "dropped, {{reason}}": rateBy("reason", "zongzi_transport_dropped_datagrams_total"),
          unsegmented: rate("zongzi_transport_unsegmented_messages_total"),
          oversize: rate("zongzi_transport_oversize_datagrams_total"),
        }),
      ],
    ],
    [
      "Broadcasts",
      [
        graph("Frames not sent on", "Frames that viewers do without, frames that could not be read, sound that would have been heard late, groups too long to keep, clocks that jumped.", "short", {
          skipped: rate("zongzi_relay_skipped_frames_total"),
          broken: rate("zongzi_relay_broken_frames_total"),
          "late sound": rate("zongzi_relay_late_sound_frames_total"),
          "groups too long": rate("zongzi_relay_group_overruns_total"),
          "clock jumps": rate("zongzi_relay_timestamp_jumps_total"),
        }),
        graph("Hosts", "Publishes begun and ended, takeovers, and hosts refused though their key was good.", "short", {
          begun: rate("zongzi_relay_publications_opened_total"),
          ended: rate("zongzi_relay_publications_closed_total"),
          takeovers: rate("zongzi_relay_takeovers_total"),
          "refused, {{reason}}": rateBy("reason", "zongzi_relay_publishes_refused_total"),
        }),
        graph("Video encoded again", "Broadcasts whose video is encoded again, by how much of it; and those that found no place.", "short", {
          "{{level}}": `sum by (level) (${of("zongzi_transcode_video_running")})`,
          "no place a second": rate("zongzi_transcode_video_no_place_total"),
        }),
      ],
    ],
    [
      "HTTP and store",
      [
        graph("Connections", "HTTP connections that are open.", "short", {
          "{{listener}}": `sum by (listener) (${of("zongzi_http_connections_opened_total")} - ${of("zongzi_http_connections_closed_total")})`,
        }),
        graph("Answers", "HTTP answers by class, and connections refused.", "reqps", {
          "{{listener}} {{class}}": rateBy("listener, class", "zongzi_http_responses_total"),
          "{{listener}} refused": rateBy("listener", "zongzi_http_connections_refused_total"),
        }),
        graph("Store", "How long a request to the store takes on average, and those that failed.", "s", {
          "time of a request": `${rate("zongzi_store_request_seconds_total")} / ${rate("zongzi_store_requests_total")}`,
          "failed a second, {{reason}}": rateBy("reason", "zongzi_store_failures_total"),
        }),
      ],
    ],
    [
      "Process",
      [
        number("Up", "Since the process started.", "s", `time() - min(${of("process_start_time_seconds")})`),
        number("Files", "Open files and sockets, of those allowed.", "percentunit", `max(${of("process_open_fds")} / ${of("process_max_fds")})`, [
          [null, "green"],
          [0.8, "red"],
        ]),
        number("Threads", "Threads.", "short", sum("process_threads")),
        number("CPU", "Cores in use.", "short", `sum(${each("process_cpu_seconds_total")})`),
        number("Memory", "Memory in RAM.", "bytes", sum("process_resident_memory_bytes")),
        number("Store", "Size of the store's files.", "bytes", sum("zongzi_store_file_bytes")),
      ],
    ],
  ],
);
