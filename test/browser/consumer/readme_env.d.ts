// What the README's snippets take from the application around them.
declare const process: { env: Record<string, string | undefined> }
declare module '@/lib/auth' {
  export function currentUser(): Promise<{ id: string }>
}
declare module '@/lib/db' {
  export const pool: { query(text: string, values: unknown[]): Promise<{ rows: any[] }> }
}
