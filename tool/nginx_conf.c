#include "tool/nginx_conf.h"

#include <string.h>

static bool is_plain(const char *path)
{
    return !path || !strpbrk(path, "\"\\$;{}\r\n");
}

static void write_access(const struct nginx_conf *n, FILE *to)
{
    if (n->cert)
        fprintf(to,
                "        ssl_certificate \"%s\";\n"
                "        ssl_certificate_key \"%s\";\n"
                "        ssl_client_certificate \"%s\";\n"
                "        ssl_verify_client on;\n"
                "        ssl_verify_depth 3;\n"
                "        ssl_protocols TLSv1.2 TLSv1.3;\n"
                "        ssl_session_cache shared:wp:2m;\n",
                n->cert, n->key, n->ca);
}

static void write_location(const struct nginx_conf *n, FILE *to)
{
    fputs("        # Only names of blocks; everything else is not found.\n"
          "        location ~ \"^/blocks/[0-9a-f]{2}/[0-9a-f]{32}-[0-9a-f]{8,}$\" {\n"
          "            limit_except GET { deny all; }\n"
          "            limit_conn warmpath_all 32;\n",
          to);
    if (n->signs)
        fprintf(to,
                "            secure_link $arg_t,$arg_e;\n"
                "            secure_link_md5 \"$secure_link_expires$uri %s\";\n"
                "            if ($secure_link = \"\") { return 403; }\n"
                "            if ($secure_link = \"0\") { return 410; }\n",
                n->link_key);
    fprintf(to, "            root \"%s\";\n        }\n        location / { return 404; }\n",
            n->store);
}

bool nginx_conf_write(const struct nginx_conf *n, FILE *to)
{
    if (!is_plain(n->store) || !is_plain(n->run) || !is_plain(n->listen) || !is_plain(n->ca) ||
        !is_plain(n->cert) || !is_plain(n->key))
        return false;
    fprintf(to,
            "# Written by `warmpath node`: serves the blocks of %s to other nodes.\n"
            "%s"
            "worker_processes auto;\n"
            "worker_rlimit_nofile 16384;\n"
            "pid \"%s/pid\";\n"
            "error_log \"%s/error.log\" warn;\n"
            "thread_pool warmpath threads=16 max_queue=4096;\n"
            "events { worker_connections 4096; }\n"
            "http {\n"
            "    access_log off;\n"
            "    client_body_temp_path \"%s/body\";\n"
            "    proxy_temp_path \"%s/proxy\";\n"
            "    fastcgi_temp_path \"%s/fastcgi\";\n"
            "    uwsgi_temp_path \"%s/uwsgi\";\n"
            "    scgi_temp_path \"%s/scgi\";\n"
            "    default_type application/octet-stream;\n"
            "    server_tokens off;\n"
            "    # A block that isn't in memory must not hold up the others.\n"
            "    aio threads=warmpath;\n"
            "    sendfile on;\n"
            "    sendfile_max_chunk 1m;\n"
            "    tcp_nopush on;\n"
            "    keepalive_timeout 300;\n"
            "    keepalive_requests 1000000;\n"
            "    # It would go on serving blocks that were evicted, and pin their space.\n"
            "    open_file_cache off;\n"
            "    disable_symlinks on;\n"
            "    client_max_body_size 1;\n"
            "    client_header_timeout 10;\n"
            "    send_timeout 10;\n"
            "    reset_timedout_connection on;\n"
            "    etag off;\n"
            "    limit_conn_zone $server_name zone=warmpath_all:1m;\n"
            "    limit_conn_status 503;\n"
            "    limit_conn_log_level info;\n"
            "    log_not_found off;\n"
            "    server {\n"
            "        listen %s%s;\n"
            "        server_name warmpath;\n",
            n->store, n->is_root ? "user root;\n" : "", n->run, n->run, n->run, n->run, n->run,
            n->run, n->run, n->listen, n->cert ? " ssl" : "");
    write_access(n, to);
    write_location(n, to);
    fputs("    }\n}\n", to);
    return !ferror(to);
}
