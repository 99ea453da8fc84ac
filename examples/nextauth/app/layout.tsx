import type { Metadata } from "next";
import Link from "next/link";
import "./globals.css";

export const metadata: Metadata = { title: "NextAuth and Dynamic" };

export default function Layout({ children }: LayoutProps<"/">) {
  return (
    <html lang="en">
      <body>
        <nav>
          <Link href="/">Home</Link>
          <Link href="/client-example">In the client</Link>
          {/* Fetched ahead, it would become the page that NextAuth goes back to after the sign-in. */}
          <Link href="/middleware-example" prefetch={false}>
            Protected
          </Link>
        </nav>
        <main>{children}</main>
      </body>
    </html>
  );
}
