"""Tokens of machine learning projects that detect-secrets 1.5 does not know, by their issuers' formats."""

from __future__ import annotations

import re

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # https://huggingface.co/docs/hub/security-tokens
        ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}\b"),
        # https://docs.wandb.ai: 40 hexadecimal digits, which alone could be any SHA-1
        ("W&B key", r"(?i)wandb[a-z_.-]{0,20}(?:key|login)[^\n0-9a-f]{1,20}[0-9a-f]{40}\b"),
        ("Comet key", r"(?i)comet[a-z_.-]{0,20}key[^\nA-Za-z0-9]{1,20}[A-Za-z0-9]{25,}"),
        ("neptune token", r"\beyJhcGlfYWRkcmVzcyI6[A-Za-z0-9+/=]{40,}"),
        ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
        ("OpenAI key", r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}"),
        ("Replicate token", r"\br8_[A-Za-z0-9]{30,}\b"),
        # https://cloud.google.com/docs/authentication/api-keys
        ("Google API key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
        ("Google OAuth token", r"\bya29\.[0-9A-Za-z_-]{20,}"),
        ("Google service account", r'"private_key_id"\s*:\s*"[0-9a-f]{40}"'),
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        ("AWS secret key", r"(?i)aws_?secret_?access_?key[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+=]{40}\b"),
        ("AWS session token", r"(?i)aws_?session_?token[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+=]{80,}"),
        ("Azure connection string", r"AccountKey=[A-Za-z0-9+/=]{60,}"),
        ("Azure shared access signature", r"[?&]sig=[A-Za-z0-9%+/=]{40,}"),
        # https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
        ("GitHub fine-grained token", r"\bgithub_pat_[A-Za-z0-9_]{50,}"),
        ("GitLab token", r"\bgl(?:pat|dt|rt|cbt)-[A-Za-z0-9_-]{20,}"),
        ("Databricks token", r"\bdapi[0-9a-f]{32}\b"),
        ("DigitalOcean token", r"\bdo[oprt]_v1_[0-9a-f]{64}\b"),
        ("Docker token", r"\bdckr_pat_[A-Za-z0-9_-]{20,}"),
        ("Kaggle key", r'"username"\s*:\s*"[^"]+"\s*,\s*"key"\s*:\s*"[0-9a-f]{32}"'),
        ("age key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
        ("netrc password", r"(?m)^\s*machine\s+\S+\s+login\s+\S+\s+password\s+\S+"),
        (
            "URL with a password",
            r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@'\"<>{}$]{1,80}:[^/\s:@'\"<>{}$]{3,200}@[\w.-]+",
        ),
        ("bearer token", r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?bearer\s+[A-Za-z0-9._~+/-]{20,}"),
    )
)
