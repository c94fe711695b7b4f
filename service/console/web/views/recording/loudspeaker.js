/** A machine may have no loudspeaker. Firefox then calls it an error in the audio, and plays on without a sound. */

/** @param {HTMLMediaElement} audio */
export function isWithoutLoudspeaker({ error }) {
  return error?.code === MediaError.MEDIA_ERR_DECODE && error.message.includes("MediaSink");
}
