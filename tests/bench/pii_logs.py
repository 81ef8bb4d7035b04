# ruff: noqa: E501
"""System logs of sixteen kinds, made up after their public formats; genuine addresses in them are labelled."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from tests.bench.pii_corpus import Document, render

KINDS: Mapping[str, Sequence[str]] = {
    "hdfs": ("0811{d2} {d6} {int3} INFO dfs.DataNode$PacketResponder: Received block blk_-{int19} of size {int8} from /{ip4}",
             "0811{d2} {d6} {int2} INFO dfs.FSNamesystem: BLOCK* NameSystem.addStoredBlock: blk_{int19} size {int8}",
             "0811{d2} {d6} {int4} INFO dfs.DataNode$DataXceiver: Receiving block blk_{int18} src: /{ip4}:{int5} dest: /{ip4}:50010"),
    "hadoop": ("{date} {clock},{d3} INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created MRAppMaster for application"
               " appattempt_{epochms}_{d4}_00000{d1}",
               "{date} {clock},{d3} INFO [IPC Server handler {int1}] TaskAttemptListener: JVM with ID : jvm_{epochms}_{d4}_m_{d6} asked"
               " for a task", "{date} {clock},{d3} WARN [LeaseRenewer] hdfs.LeaseRenewer: Failed to renew lease for {int3} seconds"),
    "spark": ("17/06/{d2} {clock} INFO executor.Executor: Running task {int2}.0 in stage {int2}.0 (TID {int4})",
              "17/06/{d2} {clock} INFO storage.MemoryStore: Block rdd_{int2}_{int2} stored as bytes in memory (estimated size {int3}.{d1} KB,"
              " free {int3}.{d1} MB)", "17/06/{d2} {clock} INFO storage.ShuffleBlockFetcherIterator: Getting {int3} non-empty blocks"),
    "zookeeper": ("{date} {clock},{d3} - INFO  [/{ip4}:3888:QuorumCnxManager$Listener@493] - Received connection request /{ip4}:{int5}",
                  "{date} {clock},{d3} - WARN  [SendWorker:{int18}:QuorumCnxManager$SendWorker@679] - Interrupted while waiting",
                  "{date} {clock},{d3} - INFO  [CommitProcessor:1] - Established session 0x{hex16} with negotiated timeout {int5}"),
    "bgl": ("- {epoch} 2005.06.{d2} R02-M1-N0-C:J{d2}-U{d2} 2005-06-{d2}-{d2}.{d2}.{d2}.{d6} R02-M1-N0-C:J{d2}-U{d2} RAS KERNEL INFO"
            " instruction cache parity error corrected", "- {epoch} 2005.07.{d2} R{d2}-M0-N{hex4} RAS APP FATAL ciod: failed to read"
            " message prefix on control stream (CioStream socket to {ip4}:{int5})",
            "- {epoch} 2005.07.{d2} R{d2} RAS KERNEL INFO generating core.{int4} iar 0x{hex8} dear 0x{hex8}"),
    "hpc": ("{int6} node-{int3} unix.hw state_change.unavailable {epoch} 1 Component State Change: Component \\042alt0\\042 is in the"
            " unavailable state (HWID={int4})", "{int6} node-{d3} unix.hw net.niff.up {epoch} 1 NIFF: node node-{d3} detected a failed"
            " network connection on network {ip4} via interface alt0",
            "{int5} Interconnect-0N00 switch_module error {epoch} 1 Link error {int3} {int3} {int4}"),
    "thunderbird": ("- {epoch} 2005.11.{d2} dn{int3} Nov {d2} {clock} dn{int3}/dn{int3} crond(pam_unix)[{int4}]: session closed for user root",
                    "- {epoch} 2005.11.{d2} tbird-admin1 Nov {d2} {clock} local@tbird-admin1 postfix/postdrop[{int5}]: warning: unable to"
                    " look up public/pickup", "- {epoch} 2005.11.{d2} en{int3} Nov {d2} {clock} kernel: e1000 0000:0{d1}:0{d1}.0: irq {int3}"),
    "windows": ("{date} {clock}, Info                  CBS    Loaded Servicing Stack v6.1.7601.{int5} with Core: C:\\Windows\\winsxs\\amd64_"
                "microsoft-windows-servicingstack_{hex16}_6.1.7601.{int5}_none_{hex16}\\cbscore.dll",
                "{date} {clock}, Info                  CSI    0000000{d1}@2016/9/27:{clock}.{d3} WcpInitialize (wcp.dll version 0.0.0.{d1})"
                " called (stack @0x7fed806eb5d @0x{hex8} @0x{hex8})",
                "{date} {clock}, Info                  CBS    SQM: Warning: Failed to upload. [HRESULT = 0x{hex8} - E_FAIL] {uuid}"),
    "linux": ("Jun {d2} {clock} combo sshd(pam_unix)[{int5}]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={ip4}",
              "Jun {d2} {clock} combo ftpd[{int5}]: connection from {ip4} () at Sat Jun {d2} {clock} 2005",
              "Jun {d2} {clock} combo kernel: BIOS-e820: 00000000{hex8} - 00000000{hex8} (usable)"),
    "android": ("03-{d2} {clock}.{d3}  {int4}  {int4} D WindowManager: printFreezingDisplayLogsopening app wtoken = AppWindowToken{{{hex8}"
                " token=Token{{{hex6} ActivityRecord{{{hex6} u0 com.example.app/.MainActivity t{int3}}}}}}}",
                "03-{d2} {clock}.{d3}  {int4}  {int5} I PowerManager_screenOn: DisplayPowerStatesetColorFadeLevel: level={d1}.{d6}",
                "03-{d2} {clock}.{d3}  {int4}  {int4} V AudioManager: playSoundEffect   effectType: {d1} tel:{int3} mobile data {int7}"),
    "healthapp": ("201712{d2}-{clock}:{d3}|Step_LSC|{int8}|onStandStepChanged {int4}",
                  "201712{d2}-{d2}:{d2}:{d1}:{d3}|Step_SPUtils|{int8}| getTodayTotalDetailSteps = {epochms}##{int4}##{int6}##{int4}##{int5}##{int7}",
                  "201712{d2}-{clock}:{d3}|Step_StandReportReceiver|{int8}|REPORT : {int4} {int4} {int6} {int3}"),
    "apache": ("[Sun Dec {d2} {clock} 2005] [notice] jk2_init() Found child {int4} in scoreboard slot {d1}",
               "[Sun Dec {d2} {clock} 2005] [error] [client {ip4}] Directory index forbidden by rule: /var/www/html/",
               "{ip4} - - [{apache}] \"GET /a/{int5}?t={epochms} HTTP/1.1\" 200 {int5} \"-\" \"Mozilla/5.0 Chrome/{int3}.0.0.0 Safari/537.36\""),
    "proxifier": ("[10.{d2} {clock}] chrome.exe - proxy.example.edu:5070 close, {int4} bytes ({int1}.{d2} KB) sent, {int5} bytes received, lifetime {d2}:{d2}",
                  "[10.{d2} {clock}] WeChat.exe - {ip4}:{int3} open through proxy proxy.example.edu:5070 HTTPS",
                  "[07.{d2} {clock}] git-remote-https.exe *64 - github.com:443 error : Could not connect (error code {int5})"),
    "openssh": ("Dec {d2} {clock} LabSZ sshd[{int5}]: Failed password for invalid user webmaster from {ip4} port {int5} ssh2",
                "Dec {d2} {clock} LabSZ sshd[{int5}]: pam_unix(sshd:auth): authentication failure; uid=0 euid=0 tty=ssh rhost={ip4}",
                "Dec {d2} {clock} LabSZ sshd[{int5}]: Received disconnect from {ip4}: 11: Bye Bye [preauth]"),
    "openstack": ("nova-api.log.1.{date}_{clock} {date} {clock}.{d3} {int5} INFO nova.osapi_compute.wsgi.server [req-{uuid} {hex32} {hex32} - - -]"
                  " {ip4} \"GET /v2/{hex32}/servers/detail HTTP/1.1\" status: 200 len: {int4} time: 0.{d7}",
                  "nova-compute.log.1.{date}_{clock} {date} {clock}.{d3} {int4} INFO nova.compute.manager [instance: {uuid}] VM Paused",
                  "nova-compute.log {date} {clock}.{d3} {int4} INFO nova.virt.libvirt.imagecache [req-{uuid} - - - - -] image {uuid} at (/var/"
                  "lib/nova/instances/_base/{hex40}): checking"),
    "mac": ("Jul  {d1} {clock} calvisitor-10-105-160-{int2} kernel[0]: IOThunderboltSwitch<0>(0x0)::listenerCallback - route = 0x0 port = {int2}",
            "Jul  {d1} {clock} authorMacBook-Pro corecaptured[{int5}]: CCFile::captureLog Received Capture notice id: {epoch}.{d6}, reason = AuthFail",
            "Jul  {d1} {clock} authorMacBook-Pro com.apple.AddressBook[{int5}]: -[SOAPParser:0x{hex12} parser:didStartElement:] {int3}.{d6}"
            " Wi-Fi {mac_address} channel {int2}"),
}  # fmt: skip


def lines(rng: random.Random, per_kind: int) -> list[Document]:
    """So many lines of every kind."""
    return [render(rng, rng.choice(templates), kind) for kind, templates in KINDS.items() for _ in range(per_kind)]
