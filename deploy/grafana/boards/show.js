import { board, choice, graph, LOST, number, of, quantile, rate, rateBy } from "./board.js";

const CHANNEL = 'channel=~"$channel"';

export const show = board(
  "zongzi-show",
  "Zongzi: one show",
  "For the evening of a broadcast: how many watch, is the host there, and does it reach them.",
  [
    [
      "The show",
      [
        number("Viewers", "Viewers now.", "short", `sum(${of("zongzi_relay_channel_viewers", CHANNEL)})`),
        number("Most viewers", "The most at a time since it began.", "short", `sum(${of("zongzi_relay_channel_viewers_peak", CHANNEL)})`),
        number("Host", "1: the host is there. 0: the host is waited for.", "short", `min(${of("zongzi_relay_channel_hosts", CHANNEL)})`, [
          [null, "red"],
          [1, "green"],
        ]),
        number("On air", "Since it began.", "s", `time() - min(${of("zongzi_relay_channel_start_time_seconds", CHANNEL)})`),
        number("Lost", "Packets that viewers report lost, before they are sent again. Of the whole server.", "percentunit", LOST, [
          [null, "green"],
          [0.01, "yellow"],
          [0.03, "red"],
        ]),
        number("Join, 95 of 100", "From a viewer's click to his first packet. Of the whole server.", "s", quantile(0.95, "zongzi_relay_join_seconds"), [
          [null, "green"],
          [0.5, "yellow"],
          [1, "red"],
        ]),
        graph("Viewers", "Viewers of the chosen channels.", "short", { "{{channel}}": `sum by (channel) (${of("zongzi_relay_channel_viewers", CHANNEL)})` }).span(16),
        graph("Host there", "0 while the host is waited for.", "short", { "{{channel}}": `min by (channel) (${of("zongzi_relay_channel_hosts", CHANNEL)})` }).max(1),
      ],
    ],
    [
      "How it reaches them (of the whole server)",
      [
        graph("Delay in the server", "From when a picture was whole in the server until it left for its last viewer.", "s", {
          half: quantile(0.5, "zongzi_relay_delay_seconds"),
          "99 of 100": quantile(0.99, "zongzi_relay_delay_seconds"),
        }),
        graph("Loss", "Share of packets that viewers report lost.", "percentunit", { lost: LOST }),
        graph("Repair", "Packets asked for again, keyframes asked for, groups left out because a link was too slow.", "short", {
          "asked for again, {{result}}": rateBy("result", "zongzi_relay_nacked_packets_total"),
          "keyframes asked for": rate("zongzi_relay_keyframe_requests_total"),
          "groups left out": rate("zongzi_relay_skipped_groups_total"),
        }),
        graph("Viewers who left", "Sessions over, by reason.", "short", {
          "{{reason}}": `sum by (reason) (increase(${of("zongzi_relay_sessions_closed_total")}[$__rate_interval]))`,
        }),
        graph("Pictures and sound received", "Frames from hosts.", "short", { "{{kind}} a second": rateBy("kind", "zongzi_relay_received_frames_total") }),
        graph("Sound and video made anew", "AAC to Opus, and video encoded again because of its B-frames.", "short", {
          "sound {{result}} a second": rateBy("result", "zongzi_transcode_frames_total"),
          "video {{result}} a second": rateBy("result", "zongzi_transcode_video_pictures_total"),
        }),
      ],
    ],
  ],
  [choice("channel", "Channel", 'label_values(zongzi_relay_channel_viewers{instance=~"$instance"}, channel)')],
);
