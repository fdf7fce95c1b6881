// Records the microphone until told to stop. Knows nothing of conversations.

import { words } from "./api.js";

const TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const SHORTEST_MS = 500;

// Opens the microphone; fails with a message that names the cure.
export async function record(onLevel) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(words.insecure_microphone);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(error.name === "NotAllowedError" ? words.denied_microphone : words.no_microphone);
  }
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
  const chunks = [];
  const started = performance.now();
  recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
  recorder.start(250);
  const stopMeter = meter(stream, onLevel);

  async function stop() {
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.stop();
    await stopped;
    stopMeter();
    stream.getTracks().forEach((track) => track.stop());
  }

  return {
    elapsed: () => (performance.now() - started) / 1000,
    cancel: stop,
    async finish() {
      const tooShort = performance.now() - started < SHORTEST_MS;
      await stop();
      if (tooShort) throw new Error(words.too_short);
      return new Blob(chunks, { type: recorder.mimeType });
    },
  };
}

function meter(stream, onLevel) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    onLevel(Math.min(1, Math.max(...samples.map(Math.abs)) * 1.6));
  }, 60);
  return () => {
    clearInterval(timer);
    context.close();
  };
}
