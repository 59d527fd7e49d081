"""Ready text for nginx, caddy and Apache: a mirror's tree, served the way conda clients need it.

All three say the same: only what is a file is there, everything else is 404 and never 403; a `.zst` is opaque
bytes, without a Content-Encoding; packages and shards never change, metadata is stale after a minute. Each text
is one site's file; host, port and path come from `mirror.url`, the folder from `mirror.root`.
"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from mirrortui.config import MirrorConfig
from mirrortui.errors import UsageError

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~+-]+)*")
_UNSAFE = re.compile(r"[\"'`\\${}<>*?%\[\]#]")
_FOREVER = "public, immutable, max-age=31536000"
_MINUTE = "public, max-age=60"
_HIDDEN = r"(^|/)\.|\.part$"
_KEPT = r"(\.conda|\.tar\.bz2|(^|/)[0-9a-f]{64}\.msgpack\.zst)$"
_SNAPSHOT = r"/snapshots/[^/]+"
_PACKAGE = r"/.+/[^/]+\.(?:conda|tar\.bz2)"


class _Place(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str  # "" or "/conda"
    root: str

    @property
    def address(self) -> str:
        standard = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{self.host}" + ("" if standard else f":{self.port}")


def _place(config: MirrorConfig) -> _Place:
    where, url = "mirror.url", config.mirror.url
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https"):
        raise UsageError(
            "clients reach this mirror through files, so no web server is needed",
            where=where,
            hint="Set mirror.url to http://HOST to have it served",
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(parts.path) or parts.username is not None:
        raise UsageError(
            "this URL cannot stand in a web server's file", where=where, hint="Write http://HOST[:PORT][/PATH]"
        )
    root = config.mirror.root.rstrip("/")
    if _UNSAFE.search(root) or not root.isprintable():
        raise UsageError(
            "this path cannot stand in a web server's file",
            where="mirror.root",
            hint="Reach the folder by a path without quotes, braces, “$” and the like",
        )
    return _Place(parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80), parts.path, root)


def nginx(config: MirrorConfig) -> str:
    """Return a file for nginx's `conf.d` or `sites-enabled`. Raises `UsageError` for a file:// mirror."""
    place = _place(config)
    variable = "$mirror_cache_" + re.sub(r"\W", "_", config.mirror.name)
    tls = place.scheme == "https"
    listen = f"{place.port}{' ssl' if tls else ''}"
    certificate = (
        f"    ssl_certificate /etc/nginx/tls/{place.host}.crt;\n    ssl_certificate_key /etc/nginx/tls/{place.host}.key;\n"
        if tls
        else ""
    )
    folder = f'alias "{place.root}/"' if place.path else f'root "{place.root}"'
    return f"""# {config.mirror.url} from {place.root}: for /etc/nginx/conf.d/
map $uri {variable} {{
    default "{_MINUTE}";
    "~{_KEPT}" "{_FOREVER}";
}}

server {{
    listen {listen};
    listen [::]:{listen};
    server_name {place.host};
{certificate}
    sendfile on;
    tcp_nopush on;
    gzip off;
    autoindex off;
    default_type application/octet-stream;
    types {{
        application/json json;
        application/zstd zst;
        application/x-bzip2 bz2;
        text/html html;
        text/plain txt;
    }}

    # what is no file is absent, whatever the reason: clients take 403 for a broken channel
    error_page 403 404 = @absent;
    location @absent {{
        default_type text/plain;
        return 404 "There is no such file on this mirror.\\n";
    }}
    location ~ "{_HIDDEN}" {{
        return 404;
    }}
    # of packages a snapshot holds only those that were replaced since; the others are the mirror's own
    location ~ "^{re.escape(place.path)}({_SNAPSHOT}({_PACKAGE}))$" {{
        root "{place.root}";
        try_files $1 $2 =404;
        add_header Cache-Control "{_FOREVER}";
    }}
    location {place.path}/ {{
        {folder};
        if (-d $request_filename) {{
            return 404;
        }}
        add_header Cache-Control {variable};
    }}
}}
"""


def caddy(config: MirrorConfig) -> str:
    """Return a site block for a Caddyfile. Raises `UsageError` for a file:// mirror."""
    place = _place(config)
    handle = f"handle_path {place.path}/*" if place.path else "handle"
    kept = _KEPT.replace("{64}", "+")  # braces are placeholders in a Caddyfile
    return f"""# {config.mirror.url} from {place.root}: for the Caddyfile
{place.address} {{
    {handle} {{
        root * "{place.root}"
        # of packages a snapshot holds only those that were replaced since; the others are the mirror's own
        @shared {{
            path_regexp package ^{_SNAPSHOT}({_PACKAGE})$
            not file
            not path */.* *.part
        }}
        @kept {{
            file
            path_regexp {kept}
            not path */.* *.part
        }}
        @other {{
            file
            not path_regexp {kept}
            not path */.* *.part
        }}
        @zst path *.zst
        route {{
            rewrite @shared {{re.package.1}}
            header @kept Cache-Control "{_FOREVER}"
            header @other Cache-Control "{_MINUTE}"
            header @zst Content-Type application/zstd
            file_server {{
                hide .* *.part
            }}
        }}
    }}
    handle_errors {{
        respond "There is no such file on this mirror." 404
    }}
}}
"""


def apache(config: MirrorConfig) -> str:
    """Return a virtual host for Apache 2.4. Raises `UsageError` for a file:// mirror."""
    place = _place(config)
    tls = place.scheme == "https"
    certificate = (
        f"    SSLEngine on\n    SSLCertificateFile /etc/apache2/tls/{place.host}.crt\n"
        f"    SSLCertificateKeyFile /etc/apache2/tls/{place.host}.key\n"
        if tls
        else ""
    )
    folder = f'Alias "{place.path}" "{place.root}"' if place.path else f'DocumentRoot "{place.root}"'
    listen = "" if place.port in (80, 443) else f"Listen {place.port}\n"
    return f"""# {config.mirror.url} from {place.root}: needs a2enmod headers rewrite{" ssl" if tls else ""}
{listen}<VirtualHost *:{place.port}>
    ServerName {place.host}
{certificate}    {folder}
    EnableSendfile On
    FileETag MTime Size
    SetEnv no-gzip 1
    SetEnv no-brotli 1
    <Directory "{place.root}">
        Require all granted
        Options FollowSymLinks
        AllowOverride None
        DirectoryIndex disabled
        DirectorySlash Off
        RemoveEncoding .bz2 .gz .zst
        AddType application/json .json
        AddType application/x-bzip2 .bz2
        AddType application/zstd .zst
        RewriteEngine On
        RewriteBase "{place.path}/"
        RewriteCond %{{REQUEST_URI}} "/\\.|\\.part$"
        RewriteRule ^ - [R=404,L]
        # of packages a snapshot holds only those that were replaced since; the others are the mirror's own
        RewriteCond %{{REQUEST_FILENAME}} !-f
        RewriteRule "^{_SNAPSHOT[1:]}/({_PACKAGE[1:]})$" $1 [L]
        # what is no file is absent: clients take 403 for a broken channel
        RewriteCond %{{REQUEST_FILENAME}} !-f
        RewriteRule ^ - [R=404,L]
        Header set Cache-Control "{_MINUTE}"
        <FilesMatch "(\\.conda|\\.tar\\.bz2|^[0-9a-f]{{64}}\\.msgpack\\.zst)$">
            Header set Cache-Control "{_FOREVER}"
        </FilesMatch>
    </Directory>
</VirtualHost>
"""
