/** What the console uses of lit-html, for TypeScript's checker. Browsers are not given it. */

export class TemplateResult {
  private readonly _$litType$: number;
}

export function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export function svg(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export function render(value: unknown, container: HTMLElement | DocumentFragment): void;
export const nothing: unique symbol;
