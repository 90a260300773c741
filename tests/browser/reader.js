// Runs in the page: reads the number of every picture that the page's <video> shows, and hears the ticks.
// What the numbers and ticks are stands in tests/src/source.rs. A tick's time is when it left the browser's sound buffer, and
// what the browser says its speaker takes from there; an AudioContext hears it 25 to 35 ms later than the speaker plays it.
(() => {
  const CELLS = 20, WIDTH = 320, HEIGHT = 24, LOG_MAX = 5000;
  const TICK_SECONDS = 0.03, QUIET_SECONDS = 0.2, LOUD = 0.08;
  const reader = { pictures: [], ticks: [], unreadable: 0, audioError: null, speaker: 0 };
  Object.defineProperty(window, "__reader", { value: reader });

  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  /** The number in the picture that `video` shows, or null. */
  function read(video) {
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 10, 0, 0, WIDTH, HEIGHT);
    const { data } = context.getImageData(0, 0, WIDTH, HEIGHT), cell = WIDTH / CELLS, bits = [];
    for (let i = 0; i < CELLS; i += 1) {
      let sum = 0, count = 0;
      for (let y = Math.floor(HEIGHT * 0.35); y < HEIGHT * 0.65; y += 1) {
        for (let x = Math.floor(cell * (i + 0.35)); x < cell * (i + 0.65); x += 1) {
          sum += data[(y * WIDTH + x) * 4 + 1];
          count += 1;
        }
      }
      bits.push(sum / count > 127 ? 1 : 0);
    }
    const number = bits.slice(2, 18).reduce((n, bit) => n * 2 + bit, 0);
    const parity = bits.slice(2, 18).reduce((p, bit) => p ^ bit, 0);
    return bits[0] === 1 && bits[1] === 0 && parity === bits[18] ? number : null;
  }

  function follow(video) {
    const onPicture = (now, { expectedDisplayTime, presentedFrames, receiveTime }) => {
      video.requestVideoFrameCallback(onPicture);
      if (!video.videoWidth || reader.pictures.length >= LOG_MAX) return;
      const number = read(video);
      if (number === null) reader.unreadable += 1;
      else {
        const at = performance.timeOrigin + (expectedDisplayTime || now), received = receiveTime ? performance.timeOrigin + receiveTime : null;
        reader.pictures.push({ number, at, received, presented: presentedFrames });
      }
    };
    video.requestVideoFrameCallback(onPicture);
  }

  /** Which of the eight tones it is (Goertzel). */
  function toneOf(samples, rate) {
    let best = -1, tone = 0;
    for (let k = 0; k < 8; k += 1) {
      const turn = 2 * Math.cos(2 * Math.PI * (1000 + 250 * k) / rate);
      let s1 = 0, s2 = 0;
      for (const sample of samples) [s1, s2] = [sample + turn * s1 - s2, s1];
      const power = s1 * s1 + s2 * s2 - turn * s1 * s2;
      if (power > best) [best, tone] = [power, k];
    }
    return tone;
  }

  /** Finds the ticks in `track`, where the browser takes its sound out of the buffer to give it to the speaker. */
  async function follow_sound(track) {
    const chunks = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let quiet = 0, tick = null;
    for (;;) {
      const { value: chunk, done } = await chunks.read();
      if (done) return;
      const { numberOfFrames: count, sampleRate: rate } = chunk, samples = new Float32Array(count);
      const at = performance.timeOrigin + performance.now() - count / rate * 1000 + reader.speaker;
      chunk.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      chunk.close();
      for (let i = 0; i < count; i += 1) {
        if (tick) {
          tick.samples.push(samples[i]);
          if (tick.samples.length >= rate * TICK_SECONDS) {
            reader.ticks.push({ tone: toneOf(tick.samples, rate), at: tick.at });
            [tick, quiet] = [null, 0];
          }
        } else if (Math.abs(samples[i]) > LOUD) {
          if (quiet > rate * QUIET_SECONDS) tick = { at: at + i / rate * 1000, samples: [] };
          quiet = 0;
        } else quiet += 1;
      }
    }
  }

  function listen(video) {
    let heard = null;
    // A player that reconnects puts new tracks into its element.
    setInterval(() => {
      const track = video.srcObject?.getAudioTracks()[0] ?? null;
      if (track === heard) return;
      heard = track;
      if (track) follow_sound(track).catch((error) => { reader.audioError = String(error); });
    }, 100);
    // How long the browser's speaker takes (RTCAudioPlayoutStats).
    let [delay, samples] = [0, 0];
    setInterval(async () => {
      const pc = window.zongzi?.pc;
      for (const stat of pc ? (await pc.getStats()).values() : []) {
        if (stat.type !== "media-playout" || stat.totalSamplesCount <= samples) continue;
        reader.speaker = (stat.totalPlayoutDelay - delay) / (stat.totalSamplesCount - samples) * 1000;
        [delay, samples] = [stat.totalPlayoutDelay, stat.totalSamplesCount];
      }
    }, 500);
  }

  reader.start = (video, sound) => {
    follow(video);
    if (sound) listen(video);
  };

  /** What tests/src/reading.rs calls a Report. */
  reader.report = async () => {
    const player = window.zongzi ?? { marks: {}, sessions: 0, pc: null }, pc = player.pc;
    const report = {
      pictures: reader.pictures, ticks: reader.ticks, unreadable: reader.unreadable, audioError: reader.audioError, sessions: player.sessions,
      post: player.marks.post ? performance.timeOrigin + player.marks.post : null,
      first_picture: reader.pictures[0]?.at ?? null,
    };
    for (const stat of pc ? (await pc.getStats()).values() : []) if (stat.type === "inbound-rtp") report[stat.kind] = stat;
    return report;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video");
    if (video) reader.start(video, true);
  });
})();
