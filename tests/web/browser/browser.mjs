// The page in a browser, with what went wrong in it, and steps that every walk has.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=document-user-activation-required',
]

export async function open({ width = 1280, height = 900, scheme = 'light', flags = [] } = {}) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: [...FLAGS, ...flags] })
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, acceptDownloads: true })
  const page = await context.newPage()
  const complaints = []
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(error.message))
  page.on('dialog', dialog => { complaints.push(dialog.message()); dialog.dismiss() })
  page.setDefaultTimeout(30_000)
  return { browser, page, complaints }
}

/** Serious and critical findings of axe; it runs beside the page, whose policy admits no other script. */
export async function findings(page) {
  const session = await page.context().newCDPSession(page)
  const { frameTree } = await session.send('Page.getFrameTree')
  const world = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' })
  const contextId = world.executionContextId
  await session.send('Runtime.evaluate', { contextId, expression: AXE })
  const expression = 'axe.run().then(found => JSON.stringify(found.violations.map(each => [each.id, each.impact, each.nodes.map(node => node.html.slice(0, 200))])))'
  const { result } = await session.send('Runtime.evaluate', { contextId, expression, awaitPromise: true })
  await session.detach()
  return JSON.parse(result.value).filter(([, impact]) => impact === 'serious' || impact === 'critical')
}

/** The page or an open dialog that is wider than its frame, and some of what sticks out of it. */
export const wideElements = page => page.evaluate(() => [document.documentElement, ...document.querySelectorAll('dialog')]
  .filter(box => box.scrollWidth > box.clientWidth)
  .flatMap(box => [box, ...[...box.querySelectorAll('*')].filter(each => each.getBoundingClientRect().right > box.getBoundingClientRect().right + 1)].slice(0, 5))
  .map(each => `${each.tagName}.${each.className} ${Math.round(each.getBoundingClientRect().right)}`))

export async function picture(page, name) {
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` })
}
