// A browser that keeps what went wrong in it and takes pictures.
import { chromium } from 'playwright-core'

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
]

export async function open(login) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS })
  const [username, ...rest] = login.split(':')
  const httpCredentials = { username, password: rest.join(':') }
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, httpCredentials })
  const complaints = []
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(error.message))
  page.on('dialog', dialog => { complaints.push(dialog.message()); dialog.dismiss() })
  return { browser, page, complaints }
}
