/** A panel's tab: its title, and a cross for the pointer. By the keyboard Delete closes it: a tab may hold no button. */

import type { ITabRenderer, TabPartInitParameters } from 'dockview'

export class PanelTab implements ITabRenderer {
  readonly element = part('dv-default-tab')
  private readonly title = part('dv-default-tab-content')
  private readonly cross = part('dv-default-tab-action')
  private listening: { dispose(): void } | null = null

  init({ title, api }: TabPartInitParameters): void {
    this.title.textContent = title
    this.element.title = 'Double click: all of the workspace, and back'
    this.cross.textContent = '×'
    this.cross.title = 'Close (Delete)'
    this.cross.setAttribute('aria-hidden', 'true')
    this.element.addEventListener('dblclick', () => (api.isMaximized() ? api.exitMaximized() : api.maximize()))
    this.cross.addEventListener('pointerdown', (event) => event.preventDefault()) // begins no drag
    this.cross.addEventListener('click', () => api.close())
    this.element.append(this.title, this.cross)
    this.listening = api.onDidTitleChange((changed) => (this.title.textContent = changed.title))
  }

  dispose(): void {
    this.listening?.dispose()
  }
}

function part(className: string): HTMLElement {
  const element = document.createElement('div')
  element.className = className
  return element
}
