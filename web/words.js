// All words that viewers read, in each language.

/** @type {Record<string, Record<string, string>>} */
const WORDS = {
  en: {
    connecting: "Connecting …",
    crowd: "Letting you in …",
    crowd_more: "This takes longer than usual; many people may be coming in right now. It goes on by itself.",
    next_try: "Next try in {} s",
    waiting: "Waiting for the host",
    waiting_more: "The picture starts here by itself as soon as the host is live.",
    interrupted: "The host's connection dropped",
    interrupted_more: "It usually comes back within seconds. Stay here: the picture goes on by itself.",
    reconnecting: "Reconnecting …",
    reconnecting_more: "The connection was lost. Trying again by itself.",
    unanswered: "The server does not answer",
    unanswered_more: "Trying again by itself.",
    live: "Live",
    hevc: "This stream can't be shown",
    hevc_more: "The host sends HEVC (H.265). The host can choose H.264 as video encoder.",
    av1: "This stream can't be shown",
    av1_more: "The host sends AV1. The host can choose H.264 as video encoder.",
    video_codec: "This stream can't be shown",
    video_codec_more: "The host sends a video format that browsers can't play live. The host can choose H.264 as video encoder.",
    audio_codec: "No sound: the host sends an audio format that can't be played. AAC works.",
    he_aac: "No sound: the host sends HE-AAC, which can't be played. Plain AAC (AAC-LC) works.",
    reduced_frame_rate: "The host's encoder uses B-frames, which browsers can't play live: the picture is less smooth than it could be. In OBS, set B-frames to 0 or Tune to “zerolatency”.",
    keyframes_only: "The host's encoder uses B-frames, which browsers can't play live: the picture changes only now and then. In OBS, set B-frames to 0 or Tune to “zerolatency”.",
    upload_stalls: "The host's upload stalls again and again: the picture may freeze for moments.",
    no_keyframe: "Waiting for a picture",
    no_keyframe_more: "The host's encoder has not sent a picture to begin with for long. It starts here by itself with the next one.",
    sound_only: "Sound only",
    no_h264: "This browser can't play this stream",
    no_h264_more: "It cannot play H.264 over WebRTC. A current Chrome, Edge or Safari can.",
    private: "This stream is private",
    private_more: "Open it by the link that the host gave you, or ask the host for one.",
    link_expired: "This link has expired",
    link_expired_more: "Ask the host for a new link.",
    link_early: "This link is not valid yet",
    link_early_more: "The picture starts here by itself as soon as it is.",
    link_invalid: "This link does not work",
    link_invalid_more: "It is incomplete, or was taken back. Ask the host for a new link.",
    link_other: "This link is for another channel",
    link_other_more: "Ask the host for a link to this one.",
    no_channel: "There is no such channel",
    no_channel_more: "Check the address, or ask the host for it.",
    full: "The server is full right now",
    full_more: "Trying again by itself as soon as the server allows it.",
    channel_full: "Every place on this channel is taken",
    channel_full_more: "Your place comes by itself as soon as somebody leaves.",
    unreachable: "Video can't get through",
    unreachable_more: "The server answers, but this network seems to block live video (UDP). Another network, such as mobile data, may work. Trying again by itself.",
    error: "This stream can't be played",
    error_more: "The server did not accept the request. Trying again by itself.",
    watching: "watching",
    unmute: "Tap for sound",
    mute: "Mute",
    sound_on: "Sound on",
    play: "Tap to play",
    fullscreen: "Full screen",
    fullscreen_end: "Leave full screen",
    player: "Live video",
    home_lead: "Live video, right now.",
    home_label: "Channel",
    home_watch: "Watch",
    home_hint: "1 to 64 characters: a–z, 0–9, - and _",
    home_host: "Are you the host? Your RTMP server and stream key were printed when the server first started; “zongzi key create” makes another.",
    home_link: "To the start page",
  },
  zh: {
    connecting: "正在连接…",
    crowd: "正在进入…",
    crowd_more: "比平时慢一些，可能有很多人正在同时进入。请稍候，会自动继续。",
    next_try: "{} 秒后重试",
    waiting: "等待主播开播",
    waiting_more: "主播开播后，画面会自动出现。",
    interrupted: "主播的连接断开了",
    interrupted_more: "通常几秒内就会恢复。请留在本页，画面会自动继续。",
    reconnecting: "正在重新连接…",
    reconnecting_more: "连接已断开，正在自动重试。",
    unanswered: "服务器没有响应",
    unanswered_more: "正在自动重试。",
    live: "直播中",
    hevc: "无法播放此直播",
    hevc_more: "主播使用的是 HEVC（H.265）。请主播将视频编码器改为 H.264。",
    av1: "无法播放此直播",
    av1_more: "主播使用的是 AV1。请主播将视频编码器改为 H.264。",
    video_codec: "无法播放此直播",
    video_codec_more: "主播的视频格式无法在浏览器中实时播放。请主播将视频编码器改为 H.264。",
    audio_codec: "没有声音：主播的音频格式无法播放，请使用 AAC。",
    he_aac: "没有声音：主播使用的是 HE-AAC，无法播放，请使用普通 AAC（AAC-LC）。",
    reduced_frame_rate: "主播的编码器使用了 B 帧，浏览器无法实时播放，因此画面不够流畅。主播可在 OBS 中将 B 帧设为 0，或将“Tune（微调）”设为 zerolatency。",
    keyframes_only: "主播的编码器使用了 B 帧，浏览器无法实时播放，因此画面只会偶尔更新。主播可在 OBS 中将 B 帧设为 0，或将“Tune（微调）”设为 zerolatency。",
    upload_stalls: "主播的上传一再中断，画面可能会短暂卡住。",
    no_keyframe: "正在等待画面",
    no_keyframe_more: "主播的编码器很久没有发送可以开始播放的画面。下一个到来时会自动开始。",
    sound_only: "仅有声音",
    no_h264: "此浏览器无法播放",
    no_h264_more: "它不支持通过 WebRTC 播放 H.264。请使用新版 Chrome、Edge 或 Safari。",
    private: "这是私密直播",
    private_more: "请使用主播发给您的链接打开，或向主播索取链接。",
    link_expired: "链接已过期",
    link_expired_more: "请向主播索取新的链接。",
    link_early: "链接尚未生效",
    link_early_more: "生效后，画面会自动出现。",
    link_invalid: "链接无效",
    link_invalid_more: "链接不完整，或已被收回。请向主播索取新的链接。",
    link_other: "此链接属于其他频道",
    link_other_more: "请向主播索取本频道的链接。",
    no_channel: "没有这个频道",
    no_channel_more: "请检查网址，或向主播询问。",
    full: "服务器暂时已满",
    full_more: "服务器允许后会自动重试。",
    channel_full: "本频道的观看人数已满",
    channel_full_more: "有人离开后会自动进入。",
    unreachable: "视频无法送达",
    unreachable_more: "服务器有响应，但当前网络似乎阻止了实时视频（UDP）。可以换一个网络，例如移动数据。正在自动重试。",
    error: "无法播放此直播",
    error_more: "服务器没有接受请求。正在自动重试。",
    watching: "人在看",
    unmute: "点击打开声音",
    mute: "静音",
    sound_on: "打开声音",
    play: "点击播放",
    fullscreen: "全屏",
    fullscreen_end: "退出全屏",
    player: "直播视频",
    home_lead: "直播，就在此刻。",
    home_label: "频道",
    home_watch: "观看",
    home_hint: "1 到 64 个字符：a–z、0–9、- 和 _",
    home_host: "您是主播？服务器首次启动时已显示 RTMP 地址和推流密钥；“zongzi key create” 可再创建一个。",
    home_link: "返回首页",
  },
};

/** The language to speak. @param {readonly string[]} wanted as navigator.languages @returns {"en" | "zh"} */
export function choose(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0];
    if (language === "zh" || language === "en") return language;
  }
  return "en";
}

export const language = choose(globalThis.navigator?.languages ?? []);

/** The words of a key, "" if it has none. @param {string} key @param {string} [spoken] */
export function words(key, spoken = language) {
  return WORDS[spoken]?.[key] ?? "";
}

/** Every key of a language, for the test that none is missing. @param {string} spoken */
export const keys = (spoken) => Object.keys(WORDS[spoken] ?? {});

/** A number as this language writes it. */
export const number = new Intl.NumberFormat(language);

/** Puts words into every element below `root` that names them: `data-words` its text, `data-label` its aria-label. @param {ParentNode} root */
export function speak(root) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-words]")) {
    element.textContent = words(element.getAttribute("data-words") ?? "");
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    const label = words(element.getAttribute("data-label") ?? "");
    element.setAttribute("aria-label", label);
    element.setAttribute("title", label);
  }
}
