// Views at the width of a desk and of a phone: pictures, findings of axe, and what sticks out of the page.
import { findings, wideElements, picture } from './browser.mjs'

export class Inspection {
  constructor(page) {
    this.page = page
    this.axe = []
    this.wide = []
  }

  async inspect(name) {
    await this.at(name)
    await this.page.setViewportSize({ width: 375, height: 800 })
    await this.at(`${name}-375`)
    await this.page.setViewportSize({ width: 1280, height: 900 })
  }

  async at(name) {
    await picture(this.page, name)
    for (const found of await findings(this.page)) this.axe.push([name, ...found])
    const found = await wideElements(this.page)
    if (found.length) this.wide.push([name, ...found])
  }
}
