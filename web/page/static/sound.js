// Short sounds, of which one is heard at a time.
let sounding = null

/** Play a sound in place of the one before; the address of a blob is released at its end. */
export async function sound(address) {
  silence()
  const source = await address
  sounding = new Audio(source)
  sounding.addEventListener('ended', () => URL.revokeObjectURL(source))
  await sounding.play()
}

export function silence() {
  sounding?.pause()
}
