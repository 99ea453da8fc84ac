import type { Metadata } from "next";

export const metadata: Metadata = { title: "NextAuth v4 and Dynamic" };

export default function Layout({ children }: LayoutProps<"/">) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
