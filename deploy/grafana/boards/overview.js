import { board, graph, LOST, number, of, quantile, rate, rateBy, sum } from "./board.js";

export const overview = board(
  "zongzi-overview",
  "Zongzi: overview",
  "Is everything well? Who is there, how it reaches them, and who was turned away.",
  [
    [
      "Now",
      [
        number("Hosts", "Hosts that are live.", "short", sum("zongzi_relay_hosts")),
        number("Viewers", "Viewers connected.", "short", sum("zongzi_relay_viewers")),
        number("Sent", "Media sent to viewers.", "bps", `${rate("zongzi_relay_sent_bytes_total")} * 8`),
        number("Join, 95 of 100", "From a viewer's click to his first packet; the slowest 5 of 100 take longer.", "s", quantile(0.95, "zongzi_relay_join_seconds"), [
          [null, "green"],
          [0.5, "yellow"],
          [1, "red"],
        ]),
        number("Lost", "Packets that viewers report lost, before they are sent again.", "percentunit", LOST, [
          [null, "green"],
          [0.01, "yellow"],
          [0.03, "red"],
        ]),
        number("Busiest shard", "The thread that has most to do; at 100 % it can't keep up.", "percentunit", `max(rate(${of("zongzi_relay_shard_busy_seconds_total")}[$__rate_interval]))`, [
          [null, "green"],
          [0.6, "yellow"],
          [0.85, "red"],
        ]),
      ],
    ],
    [
      "Viewers",
      [
        graph("Viewers by channel", "Viewers of each live broadcast.", "short", {
          "{{channel}}": `sum by (channel) (${of("zongzi_relay_channel_viewers")})`,
        }),
        graph("Joins", "Viewers coming and going.", "short", {
          "come, a second": rate("zongzi_relay_viewers_opened_total"),
          "gone, a second": rate("zongzi_relay_viewers_closed_total"),
        }),
        graph("Time to join", "From a viewer's POST to his first media packet.", "s", {
          half: quantile(0.5, "zongzi_relay_join_seconds"),
          "95 of 100": quantile(0.95, "zongzi_relay_join_seconds"),
        }),
        graph("Loss and repair", "What viewers report lost, what they ask for again, and groups they had to do without.", "short", {
          "lost packets a second": rate("zongzi_relay_reported_lost_packets_total"),
          "asked for again, {{result}}": rateBy("result", "zongzi_relay_nacked_packets_total"),
          "groups left out": rate("zongzi_relay_skipped_groups_total"),
        }),
        graph("Round trip", "There and back between server and viewers.", "s", {
          half: quantile(0.5, "zongzi_relay_round_trip_seconds"),
          "95 of 100": quantile(0.95, "zongzi_relay_round_trip_seconds"),
        }),
        graph("WHEP requests", "Viewers' requests by what came of them.", "reqps", {
          "{{outcome}}": rateBy("outcome", "zongzi_http_whep_requests_total"),
        }),
      ],
    ],
    [
      "Hosts",
      [
        graph("Received", "Media received from hosts.", "bps", { received: `${rate("zongzi_relay_received_bytes_total")} * 8` }),
        graph("Hosts gone or refused", "Connections of hosts that ended, by reason.", "short", {
          "{{reason}}": `sum by (reason) (increase(${of("zongzi_ingest_connections_closed_total")}[$__rate_interval]))`,
        }),
        graph("Stream keys", "Stream keys checked, by result.", "short", {
          "{{result}}": `sum by (result) (increase(${of("zongzi_control_key_checks_total")}[$__rate_interval]))`,
        }),
      ],
    ],
    [
      "Machine",
      [
        graph("CPU", "Cores that the server uses; video that is encoded again runs in processes of its own.", "short", {
          "{{instance}}": `rate(${of("process_cpu_seconds_total")}[$__rate_interval])`,
        }),
        graph("Memory", "Memory of the server.", "bytes", { "{{instance}}": of("process_resident_memory_bytes") }),
        graph("Disk", "Room on the disk that the data directory is on.", "bytes", { "{{instance}}": of("zongzi_store_disk_free_bytes") }),
      ],
    ],
  ],
);
